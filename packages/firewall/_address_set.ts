import { BITS, prefixSpan, type Span } from "./_address.ts";
import {
  type Bound,
  type IntervalSet,
  sizeOf,
  subtract,
  toSet,
} from "./_interval_set.ts";
import type { Family } from "./outcome.ts";

/** A span as an interval of the family's numbers. */
export function intervalOf(
  { lo, hi }: Span,
  family: Family,
): readonly [Bound, Bound] {
  return family === "ipv4" ? [Number(lo), Number(hi) + 1] : [lo, hi + 1n];
}

/** Every address of a family. */
export function allAddresses(family: Family): IntervalSet {
  return family === "ipv4" ? [0, 2 ** 32] : [0n, 1n << 128n];
}

/** Addresses that no peer and no interface to a network has. */
const NEVER: Readonly<Record<Family, readonly (readonly [string, number])[]>> =
  {
    ipv4: [["0.0.0.0", 8], ["127.0.0.0", 8], ["224.0.0.0", 3]],
    ipv6: [["::", 127], ["ff00::", 8]],
  };

const UNICAST: Readonly<Record<Family, IntervalSet>> = {
  ipv4: unicastOf("ipv4"),
  ipv6: unicastOf("ipv6"),
};

function unicastOf(family: Family): IntervalSet {
  const never = NEVER[family].map(([address, length]) =>
    intervalOf(prefixSpan(address, length)!, family)
  );
  return subtract(allAddresses(family), toSet(never));
}

/** Addresses that a peer, or this machine on a network, can have. */
export function unicast(family: Family): IntervalSet {
  return UNICAST[family];
}

/** An address as text, as the kernel writes it but for shortened zeros. */
export function addressText(bound: Bound, family: Family): string {
  const bits = BigInt(bound);
  if (family === "ipv4") {
    return [24n, 16n, 8n, 0n].map((shift) => bits >> shift & 255n).join(".");
  }
  const groups = Array.from(
    { length: 8 },
    (_, i) => (bits >> BigInt(112 - 16 * i) & 0xffffn).toString(16),
  );
  // The longest run of zeros becomes `::`.
  const [run] = groups.join(":").matchAll(/(^|:)0(:0)+(?=:|$)/g)
    .toArray().toSorted(([a], [b]) => b.length - a.length);
  if (run === undefined) return groups.join(":");
  const text = groups.join(":");
  const before = text.slice(0, run.index);
  const after = text.slice(run.index + run[0].length + 1);
  return `${before}::${after}`;
}

/** Ranges of a set as text, at most so many: `10.0.0.0/8`, `::1-::5`. */
export function rangeTexts(
  set: IntervalSet,
  family: Family,
  max: number,
): readonly string[] {
  const texts: string[] = [];
  for (let i = 0; i < set.length; i += 2) {
    if (texts.length === max) {
      texts.push(`and ${set.length / 2 - max} more`);
      break;
    }
    texts.push(rangeText(BigInt(set[i]!), BigInt(set[i + 1]!), family));
  }
  return texts;
}

function rangeText(lo: bigint, end: bigint, family: Family): string {
  const from = addressText(lo, family);
  const size = end - lo;
  if (size === 1n) return from;
  const power = (size & (size - 1n)) === 0n;
  if (power && lo % size === 0n) {
    return `${from}/${BITS[family] - (size.toString(2).length - 1)}`;
  }
  return `${from}-${addressText(end - 1n, family)}`;
}

/** Whether a set is the greater part of another. */
export function isMost(part: IntervalSet, whole: IntervalSet): boolean {
  return 2 * sizeOf(part) > sizeOf(whole);
}
