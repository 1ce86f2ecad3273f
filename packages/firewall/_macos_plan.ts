import { layerReport, unread } from "./_freebsd_judge.ts";
import type { ChangePlan } from "./_other_apply.ts";
import { evaluateAlf, isInterpreter } from "./_macos_evaluate.ts";
import type { MacosFacts } from "./_macos_facts.ts";
import {
  badMacosProgram,
  combineParts,
  entryFor,
  type Part,
  partOf,
} from "./_macos_change.ts";
import { judgePf, pfBlocks } from "./_pf_judge.ts";
import { planPf } from "./_pf_plan.ts";
import type { OtherAsked } from "./_other_request.ts";
import { describeAsked } from "./_request.ts";
import type { Outcome } from "./outcome.ts";
import type { PlanOptions } from "./plan.ts";
import type { FirewallReport, LayerReport } from "./report.ts";

/** An own anchor, or else one below that of macOS itself. */
const ROOTS = ["holdfast", "com.apple"];

/** The outcome of a request on a Mac. */
export function judgeMacos(facts: MacosFacts, asked: OtherAsked): Outcome {
  const outcomes = [alfOutcome(facts, asked), pfOutcome(facts, asked)];
  return outcomes.find(({ status }) => status === "managed") ??
    outcomes.find(({ status }) => status === "blocked-by") ??
    outcomes.find(({ status }) => status === "unknown") ?? {
    status: "open",
    why: outcomes.map(({ why }) => why).join("; "),
  };
}

function alfOutcome(facts: MacosFacts, asked: OtherAsked): Outcome {
  const { alf, program, managed } = facts;
  if (alf.type !== "known") return unread("the Application Firewall", alf);
  const verdict = evaluateAlf(alf.value, program);
  if (verdict.type === "unknown") {
    const link = asked.program !== undefined && program === undefined
      ? `where ${asked.program} leads to cannot be read`
      : verdict.why;
    return { status: "unknown", why: link };
  }
  if (verdict.type === "open") return { status: "open", why: verdict.why };
  if (managed) {
    return {
      status: "managed",
      why: `${verdict.why}: ask whoever manages this Mac`,
    };
  }
  return {
    status: "blocked-by",
    layer: "application-firewall",
    family: asked.families[0]!,
    direction: "inbound",
    table: verdict.by === "all" ? "settings" : "programs",
    chain: program?.path ?? "all programs",
    handle: undefined,
    why: verdict.why,
  };
}

function pfOutcome({ pf }: MacosFacts, asked: OtherAsked): Outcome {
  if (pf.type !== "known") return unread("pf", pf);
  const verdict = judgePf(pf.value, asked);
  return verdict.type === "blocked"
    ? pfBlocks(verdict)
    : { status: verdict.type, why: verdict.why };
}

/** Plans an entry for the program, and a rule of pf where pf blocks. */
export function planMacos(
  facts: MacosFacts,
  asked: OtherAsked,
  tag: string,
  { wholeProgram = false }: Pick<PlanOptions, "wholeProgram"> = {},
): ChangePlan {
  const before = judgeMacos(facts, asked);
  const refuse = (why: string): ChangePlan => ({
    plan: { status: "refused", why, outcome: before },
    changes: [],
  });
  if (before.status === "open") {
    return { plan: { status: "nothing-to-do", outcome: before }, changes: [] };
  }
  if (before.status !== "blocked-by") return refuse(before.why);
  const alf = alfOutcome(facts, asked);
  const pf = pfOutcome(facts, asked);
  const parts: Part[] = [];
  const still: string[] = [];
  if (alf.status === "unknown") return refuse(alf.why);
  if (alf.status === "blocked-by") {
    const entry = planEntry(facts, asked, wholeProgram);
    if (typeof entry === "string") return refuse(entry);
    parts.push(entry);
  }
  if (pf.status === "blocked-by" && facts.pf.type === "known") {
    const planned = planPf(facts.pf.value, asked, tag, ROOTS);
    if (planned.type === "refused") return refuse(planned.why);
    parts.push(partOf(planned.change));
    still.push(...planned.stillBlocked.map(({ text }) => `"${text}" of pf`));
  }
  const after: Outcome = pf.status === "unknown" ? pf : {
    status: "would-open",
    why: `${describeAsked(asked)} would be let in${
      still.length === 0
        ? ""
        : `, except for what is still blocked by ${still.join(" and ")}`
    }`,
  };
  const steps = parts.flatMap(({ open, close }) =>
    open.map((step, at) => ({ ...step, ...(at === 0 && { undo: close }) }))
  );
  return {
    plan: { status: "ready", tag, before, after, steps },
    changes: [combineParts(parts)],
  };
}

/** An entry of the list of programs, or why there is none. */
function planEntry(
  facts: MacosFacts,
  asked: OtherAsked,
  wholeProgram: boolean,
): Part | string {
  const { alf, program } = facts;
  if (alf.type !== "known") return "the Application Firewall cannot be read";
  const verdict = evaluateAlf(alf.value, program);
  if (verdict.type !== "blocked" || program === undefined) {
    return verdict.type === "blocked"
      ? `${verdict.why}: no entry opens it until that is switched off`
      : verdict.why;
  }
  if (verdict.by === "all") {
    return `${verdict.why}: no entry opens it until that is switched off`;
  }
  if (verdict.by === "entry") {
    return `${verdict.why}: it is not overruled; take that entry away first, if you do not want it`;
  }
  const bad = badMacosProgram(program.path);
  if (bad !== undefined) return `${JSON.stringify(program.path)} ${bad}`;
  if (isInterpreter(program.path) && !wholeProgram) {
    return `an entry for ${program.path} would let in every script that it runs, on every port: compile the program (deno compile) and name that, or set wholeProgram`;
  }
  return entryFor(program.path, asked);
}

/** What `inspectFirewall` says of a Mac. */
export function reportMacos(facts: MacosFacts): FirewallReport {
  return {
    system: "darwin",
    rights: facts.rights,
    layers: [alfReport(facts), layerReport("pf", facts.pf)],
  };
}

function alfReport(
  { alf, managed, stealth, version }: MacosFacts,
): LayerReport {
  const layer = "application-firewall";
  if (alf.type !== "known") return layerReport(layer, alf);
  const { state, blockAll, apps } = alf.value;
  if (state === 0) return { layer, status: "inactive", detail: "it is off" };
  const parts = [
    version === undefined ? "" : `macOS ${version}`,
    state === 2 || blockAll ? "blocks all that is not essential" : "on",
    apps === undefined ? "list not readable" : `${apps.length} programs`,
    stealth ? "stealth" : "",
    managed ? "managed" : "",
  ];
  const detail = parts.filter((part) => part !== "").join(", ");
  return { layer, status: "active", detail };
}
