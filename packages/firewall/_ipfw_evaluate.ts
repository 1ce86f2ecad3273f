import { type IpfwPacket, matchIpfwRule } from "./_ipfw_match.ts";
import type { IpfwRule, IpfwTables } from "./_ipfw_rules.ts";

/** A rule that may decide. */
export interface IpfwDecision {
  readonly verdict: "allow" | "deny" | "unknown";
  /** Undefined where the rules end without one that decides. */
  readonly rule: IpfwRule | undefined;
}

const RUNS_OUT: IpfwDecision = { verdict: "unknown", rule: undefined };

/**
 * All decisions that a packet may meet, one when it is certain: the first rule
 * that matches and decides, in the order of numbers.
 */
export function walkIpfw(
  rules: readonly IpfwRule[],
  tables: IpfwTables,
  packet: IpfwPacket,
): IpfwDecision[] {
  const on = rules.filter(({ disabled }) => !disabled);
  // The kernel prints them in order; something else is not its list.
  if (on.some(({ number }, at) => number < (on[at - 1]?.number ?? 0))) {
    return [RUNS_OUT];
  }
  // From the end: what may happen from each rule on.
  let next: readonly IpfwDecision[] = [RUNS_OUT];
  const from: (readonly IpfwDecision[])[] = [];
  for (let at = on.length - 1; at >= 0; at--) {
    const rule = on[at]!;
    next = decisionsAt(
      rule,
      next,
      (target) => {
        // Backwards, or behind the last rule: the kernel takes neither.
        return target <= rule.number ? undefined : from[firstFrom(on, target)];
      },
      tables,
      packet,
    );
    from[at] = next;
  }
  return [...next];
}

/** The index of the first rule with a number or a higher one. */
function firstFrom(rules: readonly IpfwRule[], number: number): number {
  let [low, high] = [0, rules.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rules[middle]!.number < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

function decisionsAt(
  rule: IpfwRule,
  after: readonly IpfwDecision[],
  jump: (target: number) => readonly IpfwDecision[] | undefined,
  tables: IpfwTables,
  packet: IpfwPacket,
): readonly IpfwDecision[] {
  // A rule that keeps states looks them up before its own conditions.
  const looksUp = rule.action.type === "check-state"
    ? rule.action.flow
    : rule.looksUp
    ? rule.keeps
    : undefined;
  if (packet.flow !== undefined && looksUp !== undefined) {
    if (looksUp === ":any" || looksUp === packet.flow) {
      return [{ verdict: "allow", rule }];
    }
  }
  if (rule.action.type === "check-state") return after;
  const match = matchIpfwRule(rule, tables, packet);
  if (match === "no" || rule.action.type === "continue") return after;
  const here = decide(rule, jump);
  return match === "yes" ? here : [...new Set([...here, ...after])];
}

function decide(
  rule: IpfwRule,
  jump: (target: number) => readonly IpfwDecision[] | undefined,
): readonly IpfwDecision[] {
  switch (rule.action.type) {
    case "allow":
    case "deny":
      return [{ verdict: rule.action.type, rule }];
    case "skipto":
      return jump(rule.action.target) ?? [{ verdict: "unknown", rule }];
    default:
      return [{ verdict: "unknown", rule }];
  }
}
