import { parseListApps } from "./_macos_parser.ts";
import { osascriptRefused, osascriptStep } from "./_macos_quote.ts";
import type { Change, RuleState } from "./_other_sequence.ts";
import type { OtherAsked } from "./_other_request.ts";
import { describeAsked } from "./_request.ts";
import type { PlanStep } from "./plan.ts";
import type { Ran } from "./runner.ts";

const SOCKETFILTERFW = "/usr/libexec/ApplicationFirewall/socketfilterfw";

/** A change, and the bare commands that it is made of. */
export interface Part {
  /** Behind a prompt of its own. */
  readonly change: Change;
  readonly open: readonly PlanStep[];
  readonly close: PlanStep;
}

/** A change whose commands need root, behind the prompt for the password. */
export function partOf(bare: Change): Part {
  const { open, close } = bare;
  const change = {
    ...bare,
    open: osascriptStep([open], open.sentence),
    close: osascriptStep([close], close.sentence),
    refused,
  };
  return { change, open: [open], close };
}

/** All parts as one change, so that the person is asked once. */
export function combineParts(parts: readonly Part[]): Change {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only.change;
  const changes = parts.map(({ change }) => change);
  const sentence = (steps: readonly PlanStep[]) =>
    steps.map((step) => step.sentence).join("; ");
  const open = parts.flatMap((part) => part.open);
  const close = parts.map((part) => part.close).reverse();
  return {
    reads: changes.flatMap(({ reads }) => reads),
    stateOf: (answers) => {
      let at = 0;
      return stateOfAll(changes.map(({ reads, stateOf }) => {
        const own = answers.slice(at, at + reads.length);
        at += reads.length;
        return stateOf(own);
      }));
    },
    open: osascriptStep(open, sentence(open)),
    close: osascriptStep(close, sentence(close)),
    parts: changes,
    refused,
  };
}

function stateOfAll(states: readonly RuleState[]): RuleState {
  const odd = states.find(({ type }) => type === "unknown") ??
    states.find(({ type }) => type === "different");
  if (odd !== undefined) return odd;
  const [first] = states;
  return first !== undefined && states.every(({ type }) => type === first.type)
    ? first
    : { type: "different", why: "only a part of our rules is there" };
}

function refused(ran: Ran): boolean {
  return ran.type === "ran" && ran.code !== 0 && osascriptRefused(ran.stderr);
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
export function entryFor(path: string, asked: OtherAsked): Part {
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
  const close = step("--remove", back);
  return {
    open,
    close,
    change: {
      reads: [{ tool: "socketfilterfw", args: ["--listapps"] }],
      stateOf: ([ran]) => entryState(path, ran!),
      open: osascriptStep(open, sentence),
      close: osascriptStep([close], back),
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
