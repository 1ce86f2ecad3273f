import { type IntervalSet, subtract, unite } from "./_interval_set.ts";
import type { Bits } from "./_nft_packet.ts";
import type { NftChain, NftRule } from "./_nft_ruleset.ts";
import { NO_BITS } from "./_nft_value.ts";

/** Ways that differ in their marks; past it the mark is not known. */
const FLOWS_MAX = 32;

/** The rule, or the policy, that dropped the packet. */
export interface Drop {
  readonly chain: NftChain;
  /** Undefined for the policy. */
  readonly rule: NftRule | undefined;
}

/** Numbers (sources or ports) whose packets have fared alike so far. */
export interface Flow {
  readonly set: IntervalSet;
  readonly mark: Bits;
  readonly connectionMark: Bits;
}

/** Numbers, and what is to be said of them. */
export interface Note<T> {
  readonly set: IntervalSet;
  readonly what: T;
}

/** What became of packets; a number may be in several, where it is not sure. */
export interface Findings {
  /** In the order in which the packet meets them. */
  readonly drops: Note<Drop>[];
  /** Why it is not sure. */
  readonly doubts: Note<string>[];
  /** Why nothing can be told, whatever follows. */
  readonly taints: Note<string>[];
  /** Numbers for which a rule that a plan adds may apply. */
  touched: IntervalSet;
}

/** Those of a flow that are not in a set. */
export function less(flow: Flow, set: IntervalSet): readonly Flow[] {
  const rest = subtract(flow.set, set);
  return rest.length === 0 ? [] : [{ ...flow, set: rest }];
}

function sameBits(a: Bits, b: Bits): boolean {
  return a.value === b.value && a.known === b.known;
}

/** Whether two flows have the same marks. */
export function sameMarks(a: Flow, b: Flow): boolean {
  return sameBits(a.mark, b.mark) &&
    sameBits(a.connectionMark, b.connectionMark);
}

/** Joins flows with the same marks; and all of them where there are many. */
export function merge(flows: readonly Flow[]): readonly Flow[] {
  if (flows.length < 2) return flows.filter(({ set }) => set.length > 0);
  const result: Flow[] = [];
  for (const flow of flows) {
    if (flow.set.length === 0) continue;
    const at = result.findIndex((other) => sameMarks(other, flow));
    const other = result[at];
    if (other === undefined) result.push(flow);
    else result[at] = { ...flow, set: unite(other.set, flow.set) };
  }
  if (result.length <= FLOWS_MAX) return result;
  const set = result.map((flow) => flow.set).reduce(unite);
  return [{ set, mark: NO_BITS, connectionMark: NO_BITS }];
}

/** `Rule 12 of chain in (table inet filter)`. */
export function place({ chain, rule }: Drop): string {
  const where = `chain ${chain.name} (table ${chain.family} ${chain.table})`;
  if (rule === undefined) return `The policy of ${where}`;
  if (rule.handle !== undefined && rule.text === undefined) {
    return `Rule ${rule.handle} of ${where}`;
  }
  const at = chain.rules.indexOf(rule);
  return at < 0
    ? `A new rule of ${where}`
    : `Rule number ${at + 1} of ${where}`;
}
