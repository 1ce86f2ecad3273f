import { layerReport, unread } from "./_freebsd_judge.ts";
import type { ChangePlan } from "./_freebsd_judge.ts";
import { evaluateAlf, isInterpreter } from "./_macos_evaluate.ts";
import type { MacosFacts } from "./_macos_facts.ts";
import { parseListApps } from "./_macos_parser.ts";
import { osascriptRefused, osascriptStep } from "./_macos_quote.ts";
import type { Change, RuleState } from "./_other_sequence.ts";
import { judgePf, pfBlocks } from "./_pf_judge.ts";
import { planPf } from "./_pf_plan.ts";
import { type Asked, describeAsked } from "./_request.ts";
import type { Outcome } from "./outcome.ts";
import type { PlanOptions, PlanStep } from "./plan.ts";
import type { FirewallReport, LayerReport } from "./report.ts";
import type { Ran } from "./runner.ts";

const SOCKETFILTERFW = "/usr/libexec/ApplicationFirewall/socketfilterfw";
/** An own anchor, or else one below that of macOS itself. */
const ROOTS = ["holdfast", "com.apple"];

/** The outcome of a request on a Mac. */
export function judgeMacos(facts: MacosFacts, asked: Asked): Outcome {
  const outcomes = [alfOutcome(facts, asked), pfOutcome(facts, asked)];
  return outcomes.find(({ status }) => status === "managed") ??
    outcomes.find(({ status }) => status === "blocked-by") ??
    outcomes.find(({ status }) => status === "unknown") ?? {
    status: "open",
    why: outcomes.map(({ why }) => why).join("; "),
  };
}

function alfOutcome(facts: MacosFacts, asked: Asked): Outcome {
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

function pfOutcome({ pf }: MacosFacts, asked: Asked): Outcome {
  if (pf.type !== "known") return unread("pf", pf);
  const verdict = judgePf(pf.value, asked);
  return verdict.type === "blocked"
    ? pfBlocks(verdict)
    : { status: verdict.type, why: verdict.why };
}

/** Plans an entry for the program, and a rule of pf where pf blocks. */
export function planMacos(
  facts: MacosFacts,
  asked: Asked,
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
  const changes: Change[] = [];
  const steps: PlanStep[] = [];
  const revert: PlanStep[] = [];
  const still: string[] = [];
  if (alf.status === "unknown") return refuse(alf.why);
  if (alf.status === "blocked-by") {
    const entry = planEntry(facts, asked, wholeProgram);
    if (typeof entry === "string") return refuse(entry);
    changes.push(entry.change);
    steps.push(...entry.open);
    revert.unshift(...entry.close);
  }
  if (pf.status === "blocked-by" && facts.pf.type === "known") {
    const planned = planPf(facts.pf.value, asked, tag, ROOTS);
    if (planned.type === "refused") return refuse(planned.why);
    changes.push(prompted(planned.change));
    steps.push(planned.change.open);
    revert.unshift(planned.change.close);
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
  return {
    plan: { status: "ready", tag, before, after, steps, revert },
    changes,
  };
}

/** The same change, behind the prompt for the password. */
function prompted(change: Change): Change {
  return {
    ...change,
    open: osascriptStep([change.open], change.open.sentence),
    close: osascriptStep([change.close], change.close.sentence),
    refused,
  };
}

function refused(ran: Ran): boolean {
  return ran.type === "ran" && ran.code !== 0 && osascriptRefused(ran.stderr);
}

interface Entry {
  readonly change: Change;
  readonly open: readonly PlanStep[];
  readonly close: readonly PlanStep[];
}

/** An entry of the list of programs, or why there is none. */
function planEntry(
  facts: MacosFacts,
  asked: Asked,
  wholeProgram: boolean,
): Entry | string {
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

/** Why a path cannot be put into the list; undefined when it can. */
export function badMacosProgram(path: string): string | undefined {
  if (!path.startsWith("/")) return "is no full path";
  // The list is printed line by line, and its entries must be told apart.
  if (/\p{Cc}|[\u2028\u2029]|\s$/u.test(path)) {
    return "holds a control character, or ends with a space";
  }
  return path.length > 1024 ? "is longer than 1024 characters" : undefined;
}

/** The commands for one entry, and the change that they make together. */
export function entryFor(path: string, asked: Asked): Entry {
  const step = (flag: string, sentence: string): PlanStep => ({
    layer: "application-firewall",
    argv: [SOCKETFILTERFW, flag, path],
    stdin: undefined,
    sentence,
  });
  const sentence = `Lets in ${
    describeAsked(asked)
  }, and every other port of ${path}, by an entry of the Application Firewall`;
  const open = [
    step("--add", `Adds ${path} to the list of the Application Firewall`),
    step("--unblockapp", sentence),
  ];
  const back = `Takes the entry for ${path} out of the Application Firewall`;
  const close = [step("--remove", back)];
  return {
    open,
    close,
    change: {
      reads: [{ tool: "socketfilterfw", args: ["--listapps"] }],
      stateOf: ([ran]) => entryState(path, ran!),
      open: osascriptStep(open, sentence),
      close: osascriptStep(close, back),
      refused,
    },
  };
}

/** By the list alone: exit codes and sentences lie for unknown paths. */
function entryState(path: string, ran: Ran): RuleState {
  const answer = ran.type === "ran"
    ? parseListApps(ran.stdout)
    : { type: "unread" } as const;
  if (answer.type !== "known") {
    return {
      type: "unknown",
      why: "the list of programs of the Application Firewall cannot be read",
    };
  }
  const entries = answer.value.filter((app) => app.path === path);
  if (entries.length === 0) return { type: "absent" };
  return entries.every(({ allowed }) => allowed)
    ? { type: "present" }
    : { type: "different", why: `an entry blocks ${path}` };
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
