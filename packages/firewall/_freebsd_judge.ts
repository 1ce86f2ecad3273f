import type { FreebsdFacts } from "./_freebsd_facts.ts";
import { ipfwBlocks, judgeIpfw } from "./_ipfw_judge.ts";
import { planIpfw } from "./_ipfw_plan.ts";
import type { Fact } from "./_linux_facts.ts";
import type { ChangePlan } from "./_other_apply.ts";
import type { Change } from "./_other_sequence.ts";
import { judgePf, pfBlocks } from "./_pf_judge.ts";
import { planPf } from "./_pf_plan.ts";
import type { OtherAsked } from "./_other_request.ts";
import { describeAsked } from "./_request.ts";
import type { LayerName, Outcome } from "./outcome.ts";
import type { FirewallReport, LayerReport } from "./report.ts";

/** Anchors that are looked for in pf.conf, the first one is recommended. */
const ROOTS = ["holdfast", "fw"];

/** The outcome of a request on a machine with FreeBSD. */
export function judgeFreebsd(facts: FreebsdFacts, asked: OtherAsked): Outcome {
  const outcomes = [pfOutcome(facts, asked), ipfwOutcome(facts, asked)];
  const blocked = outcomes.find(({ status }) => status === "blocked-by");
  if (blocked !== undefined) return blocked;
  if (facts.ipfilter !== false) {
    return {
      status: "unknown",
      why: facts.ipfilter
        ? "ipfilter is loaded, whose rules are not read by this version"
        : "whether ipfilter is loaded cannot be read",
      command: "sudo ipfstat -i",
    };
  }
  const unclear = outcomes.find(({ status }) => status === "unknown");
  return unclear ?? {
    status: "open",
    why: outcomes.map(({ why }) => why).join("; "),
  };
}

function pfOutcome({ pf }: FreebsdFacts, asked: OtherAsked): Outcome {
  if (pf.type !== "known") return unread("pf", pf);
  const verdict = judgePf(pf.value, asked);
  switch (verdict.type) {
    case "blocked":
      return pfBlocks(verdict);
    case "open":
      return { status: "open", why: verdict.why };
    case "unknown":
      return { status: "unknown", why: verdict.why };
  }
}

function ipfwOutcome({ ipfw }: FreebsdFacts, asked: OtherAsked): Outcome {
  if (ipfw.type !== "known") return unread("ipfw", ipfw);
  const verdict = judgeIpfw(ipfw.value, asked);
  switch (verdict.type) {
    case "blocked":
      return ipfwBlocks(verdict);
    case "open":
      return { status: "open", why: verdict.why };
    case "unknown":
      return { status: "unknown", why: verdict.why };
  }
}

/** The outcome where a layer could not be read. */
export function unread(
  name: string,
  fact: Exclude<Fact<unknown>, { type: "known" }>,
): Outcome {
  if (fact.type === "absent") {
    return {
      status: "unknown",
      why: `${name} is there, and its tool is not`,
    };
  }
  const { why, command } = fact;
  return { status: "unknown", why, ...(command && { command }) };
}

/** Plans one rule in each of pf and ipfw that blocks. */
export function planFreebsd(
  facts: FreebsdFacts,
  asked: OtherAsked,
  tag: string,
): ChangePlan {
  const before = judgeFreebsd(facts, asked);
  const refuse = (why: string): ChangePlan => ({
    plan: { status: "refused", why, outcome: before },
    changes: [],
  });
  if (before.status === "open") {
    const plan = { status: "nothing-to-do", outcome: before } as const;
    return { plan, changes: [] };
  }
  if (before.status !== "blocked-by") return refuse(before.why);
  const changes: Change[] = [];
  const still: string[] = [];
  for (const layer of ["pf", "ipfw"] as const) {
    const outcome = layer === "pf"
      ? pfOutcome(facts, asked)
      : ipfwOutcome(facts, asked);
    if (outcome.status === "open") continue;
    if (outcome.status !== "blocked-by") return refuse(outcome.why);
    const planned = planLayer(facts, layer, asked, tag);
    if (planned.type === "refused") return refuse(planned.why);
    changes.push(planned.change);
    still.push(...planned.still);
  }
  const rest = still.length === 0
    ? ""
    : `, except for what is still blocked by ${still.join(" and ")}`;
  return {
    plan: {
      status: "ready",
      tag,
      before,
      after: {
        status: "would-open",
        why: `${describeAsked(asked)} would be let in${rest}`,
      },
      steps: changes.map(({ open, close }) => ({ ...open, undo: close })),
    },
    changes,
  };
}

type LayerPlan =
  | {
    readonly type: "ready";
    readonly change: Change;
    readonly still: readonly string[];
  }
  | { readonly type: "refused"; readonly why: string };

function planLayer(
  facts: FreebsdFacts,
  layer: "pf" | "ipfw",
  asked: OtherAsked,
  tag: string,
): LayerPlan {
  if (layer === "pf" && facts.pf.type === "known") {
    const planned = planPf(facts.pf.value, asked, tag, ROOTS);
    return planned.type === "refused" ? planned : {
      type: "ready",
      change: planned.change,
      still: planned.stillBlocked.map(({ text }) => `"${text}" of pf`),
    };
  }
  if (layer === "ipfw" && facts.ipfw.type === "known") {
    const planned = planIpfw(facts.ipfw.value, asked, tag);
    return planned.type === "refused" ? planned : {
      type: "ready",
      change: planned.change,
      still: planned.stillDenied.map(({ number }) => `rule ${number} of ipfw`),
    };
  }
  return { type: "refused", why: `${layer} cannot be read` };
}

/** What `inspectFirewall` says of a machine with FreeBSD. */
export function reportFreebsd(facts: FreebsdFacts): FirewallReport {
  const { pf, ipfw, ipfilter } = facts;
  const layers = [layerReport("pf", pf), layerReport("ipfw", ipfw)];
  if (ipfilter !== false) {
    layers.push({
      layer: "other",
      status: "unknown",
      why: "ipfilter is or may be loaded, and is not read by this version",
    });
  }
  return { system: "freebsd", rights: facts.rights, layers };
}

/** What is known of pf or ipfw. */
export function layerReport(
  layer: LayerName,
  fact: Fact<{ readonly on: boolean }>,
): LayerReport {
  switch (fact.type) {
    case "known":
      return fact.value.on
        ? { layer, status: "active", detail: "it is on, and has been read" }
        : { layer, status: "inactive", detail: "it is off, or not loaded" };
    case "absent":
      return { layer, status: "absent", detail: `${layer} is not installed` };
    case "unknown": {
      const { why, command } = fact;
      return { layer, status: "unknown", why, ...(command && { command }) };
    }
  }
}
