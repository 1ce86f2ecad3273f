import { type Ipfw, type IpfwVerdict, judgeIpfw } from "./_ipfw_judge.ts";
import { parseIpfwRules } from "./_ipfw_parser.ts";
import type { IpfwRule } from "./_ipfw_rules.ts";
import type { Change, RuleState } from "./_other_sequence.ts";
import { digestOf } from "./_other_tag.ts";
import type { OtherAsked } from "./_other_request.ts";
import { describeAsked } from "./_request.ts";
import type { PlanStep } from "./plan.ts";
import type { Ran } from "./runner.ts";

/** A rule of ours, in a set of its own. */
export interface IpfwSpec {
  readonly number: number;
  readonly set: number;
  /** The words of the rule behind its set. */
  readonly words: readonly string[];
}

/** One rule that opens it, or why there is none. */
export type IpfwPlan =
  | {
    readonly type: "ready";
    readonly spec: IpfwSpec;
    readonly change: Change;
    /** Rules above ours that go on to deny a part of what is asked. */
    readonly stillDenied: readonly IpfwRule[];
  }
  | { readonly type: "refused"; readonly why: string };

/** Set 31 is not switched, 0 is everybody's. */
const SETS = Array.from({ length: 30 }, (_, n) => 30 - n);

/** Plans one rule right before the one that denies, on a copy of all rules. */
export function planIpfw(ipfw: Ipfw, asked: OtherAsked, tag: string): IpfwPlan {
  const before = judgeIpfw(ipfw, asked);
  if (!ipfw.on || before.type !== "blocked") {
    return { type: "refused", why: before.why };
  }
  if (before.direction === "reply") {
    return {
      type: "refused",
      why: `${before.why}: a rule for answers is not made by this version`,
    };
  }
  if (!isGeneral(before.rule)) {
    return {
      type: "refused",
      why:
        `${before.why}: that rule is meant for this, and is not overruled; take it away first, if you do not want it`,
    };
  }
  const { setsOff } = ipfw;
  // A rule in a set that is off would do nothing.
  const set = setsOff &&
    SETS.find((set) =>
      !setsOff.includes(set) && !ipfw.rules.some((rule) => rule.set === set)
    );
  if (set === undefined) {
    return {
      type: "refused",
      why: "no set of ipfw is free for a rule of ours",
    };
  }
  const number = numberBefore(ipfw.rules, before.rule);
  if (number === undefined) {
    return {
      type: "refused",
      why:
        `no number is free right before rule ${before.rule.number}: number the rules of ipfw anew`,
    };
  }
  const at = ipfw.rules.findIndex((rule) => rule.number > number);
  let why = "";
  for (const flow of flowsFor(ipfw.rules.slice(0, at), asked, tag)) {
    const spec = { number, set, words: ruleWords(asked, tag, flow) };
    const ours = ruleOf(spec);
    const after = judgeIpfw(
      { ...ipfw, rules: ipfw.rules.toSpliced(at, 0, ours) },
      asked,
    );
    const stillDenied = deniedAbove(after, ours);
    if (stillDenied !== undefined) {
      return {
        type: "ready",
        spec,
        change: ipfwChange(spec, asked),
        stillDenied,
      };
    }
    why = after.why;
  }
  return { type: "refused", why };
}

/**
 * Names for the flows that ours lets go on. A rule that keeps states also looks
 * them up: with the name that all share it could let in flows of others, which
 * passed by their own rule. So it has one of its own; the shared one only where
 * every packet has been looked up under it before.
 */
function flowsFor(
  above: readonly IpfwRule[],
  asked: OtherAsked,
  tag: string,
): readonly string[] {
  const on = above.filter(({ disabled }) => !disabled);
  const check = on.findIndex(({ action }) =>
    action.type === "check-state" && /^:(any|default)$/.test(action.flow)
  );
  const sure = check >= 0 &&
    on.slice(0, check).every(({ action }) =>
      /^(allow|deny|continue|check-state)$/.test(action.type)
    );
  const own = `:hf-${digestOf(ruleWords(asked, tag, ""))}`;
  return sure ? [own, ":default"] : [own];
}

/** Whether a rule denies all that is left, and not just some peers or ports. */
function isGeneral({ tests }: IpfwRule): boolean {
  return tests.every((alternatives) =>
    alternatives.every((test) =>
      test.on === "src"
        ? test.hosts.every(({ type }) => type === "any")
        : test.on !== "src-port" && test.on !== "dst-port"
    )
  );
}

/** A number for a rule that comes right before another one. */
function numberBefore(
  rules: readonly IpfwRule[],
  denying: IpfwRule,
): number | undefined {
  const at = rules.indexOf(denying);
  const previous = rules[at - 1]?.number ?? 0;
  const number = denying.number - 1;
  return number >= 1 && number >= previous ? number : undefined;
}

/** Undefined when it does not open; else who goes on to deny a part of it. */
function deniedAbove(
  after: IpfwVerdict,
  ours: IpfwRule,
): readonly IpfwRule[] | undefined {
  if (after.type === "open") return [];
  if (after.type !== "unknown") return undefined;
  const { decisions } = after;
  const denies = decisions.filter(({ verdict }) => verdict === "deny");
  const allows = decisions.filter(({ verdict }) => verdict === "allow");
  const clear = allows.some(({ rule }) => rule === ours) &&
    denies.length + allows.length === decisions.length && denies.length > 0;
  return clear ? denies.map(({ rule }) => rule!) : undefined;
}

/** The words of the rule. Every one is a checked value. */
export function ruleWords(
  asked: OtherAsked,
  tag: string,
  flow: string,
): string[] {
  const { source, families, protocol, port } = asked;
  const from = source !== undefined
    ? `${source.address}/${source.length}`
    : families.length > 1
    ? "any"
    // One family as two halves: the whole of it would be taken for any.
    : families[0] === "ipv4"
    ? "0.0.0.0/1,128.0.0.0/1"
    : "::/1,8000::/1";
  return [
    ...["allow", protocol, "from", from, "to"],
    ...[asked.address ?? "me", String(port), "in"],
    ...asked.interface === undefined ? [] : ["recv", asked.interface],
    ...protocol === "tcp" ? ["setup"] : [],
    ...["keep-state", flow, "//", tag],
  ];
}

function ruleOf({ number, set, words }: IpfwSpec): IpfwRule {
  const line = `${String(number).padStart(5, "0")} set ${set} ${
    words.join(" ")
  }`;
  return parseIpfwRules(line)[0]!;
}

/** The rule as a change: added to a set that holds nothing else. */
export function ipfwChange(spec: IpfwSpec, asked: OtherAsked): Change {
  const { number, set, words } = spec;
  const step = (args: string[], sentence: string): PlanStep => ({
    layer: "ipfw",
    argv: ["/sbin/ipfw", "-q", ...args],
    stdin: undefined,
    sentence,
  });
  return {
    reads: [{ tool: "ipfw", args: ["-S", "list"] }],
    stateOf: ([ran]) => ipfwRuleState(spec, ran!),
    open: step(
      ["add", String(number), "set", String(set), ...words],
      `Lets in ${
        describeAsked(asked)
      } by rule ${number} of ipfw, alone in set ${set}`,
    ),
    close: step(
      ["delete", "set", String(set)],
      `Takes rule ${number} of ipfw back, the only one in set ${set}`,
    ),
    refused: () => false,
  };
}

/** How our rule stands, by what `ipfw -S list` prints. */
export function ipfwRuleState(spec: IpfwSpec, ran: Ran): RuleState {
  const rules = ran.type === "ran" && ran.code === 0
    ? parseIpfwRules(ran.stdout)
    : [];
  if (rules.length === 0) {
    return { type: "unknown", why: "the rules of ipfw cannot be read" };
  }
  const inSet = rules.filter(({ set }) => set === spec.set);
  const [only] = inSet;
  if (only === undefined) return { type: "absent" };
  return inSet.length === 1 && same(only, ruleOf(spec))
    ? { type: "present" }
    : {
      type: "different",
      why: `set ${spec.set} of ipfw holds rules of somebody else`,
    };
}

/** Equal but for the order and the spelling of conditions. */
function same(a: IpfwRule, b: IpfwRule): boolean {
  const plain = (rule: IpfwRule) =>
    JSON.stringify(
      {
        ...rule,
        text: "",
        tests: rule.tests.map((test) => JSON.stringify(test, digits)).sort(),
      },
      digits,
    );
  return plain(a) === plain(b);
}

function digits(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
