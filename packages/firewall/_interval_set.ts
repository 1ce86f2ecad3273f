/** A port or an IPv4 address as a number, an IPv6 address as a bigint. */
export type Bound = number | bigint;

/**
 * Numbers in half-open intervals, sorted and apart: `[lo, hi, lo, hi, …]`.
 * Half-open, because then nothing is ever added to a bound, and one algorithm
 * serves numbers and bigints.
 */
export type IntervalSet = readonly Bound[];

/** No number. */
export const NONE: IntervalSet = [];

/** Whether the sets are the same. */
export function sameSet(a: IntervalSet, b: IntervalSet): boolean {
  return a.length === b.length && a.every((bound, i) => bound === b[i]);
}

/** What is in both. */
export function intersect(a: IntervalSet, b: IntervalSet): IntervalSet {
  if (a.length === 0 || b.length === 0) return NONE;
  const result: Bound[] = [];
  let j = firstEndingAfter(b, a[0]!);
  for (let i = 0; i < a.length && j < b.length;) {
    const lo = a[i]! > b[j]! ? a[i]! : b[j]!;
    const hi = a[i + 1]! < b[j + 1]! ? a[i + 1]! : b[j + 1]!;
    if (lo < hi) result.push(lo, hi);
    if (a[i + 1]! < b[j + 1]!) i += 2;
    else j += 2;
  }
  return result;
}

/** What is in one of them. */
export function unite(a: IntervalSet, b: IntervalSet): IntervalSet {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const result: Bound[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const first = j >= b.length || (i < a.length && a[i]! <= b[j]!);
    const lo = first ? a[i]! : b[j]!;
    const hi = first ? a[i + 1]! : b[j + 1]!;
    if (first) i += 2;
    else j += 2;
    const last = result.length - 1;
    if (last > 0 && lo <= result[last]!) {
      if (hi > result[last]!) result[last] = hi;
    } else result.push(lo, hi);
  }
  return result;
}

/** What is in the first, and not in the second. */
export function subtract(a: IntervalSet, b: IntervalSet): IntervalSet {
  if (a.length === 0 || b.length === 0) return a;
  const result: Bound[] = [];
  let j = firstEndingAfter(b, a[0]!);
  for (let i = 0; i < a.length; i += 2) {
    let lo = a[i]!;
    const hi = a[i + 1]!;
    while (j < b.length && b[j + 1]! <= lo) j += 2;
    for (let k = j; k < b.length && b[k]! < hi; k += 2) {
      if (b[k]! > lo) result.push(lo, b[k]!);
      if (b[k + 1]! > lo) lo = b[k + 1]!;
    }
    if (lo < hi) result.push(lo, hi);
  }
  return result;
}

/** Whether all of the first is in the second. */
export function isWithin(a: IntervalSet, b: IntervalSet): boolean {
  let j = a.length === 0 ? 0 : firstEndingAfter(b, a[0]!);
  for (let i = 0; i < a.length; i += 2) {
    while (j < b.length && b[j + 1]! < a[i + 1]!) j += 2;
    if (j >= b.length || b[j]! > a[i]!) return false;
  }
  return true;
}

/** Whether no number is in both. */
export function isApart(a: IntervalSet, b: IntervalSet): boolean {
  if (a.length === 0 || b.length === 0) return true;
  let j = firstEndingAfter(b, a[0]!);
  for (let i = 0; i < a.length && j < b.length;) {
    if (a[i]! < b[j + 1]! && b[j]! < a[i + 1]!) return false;
    if (a[i + 1]! < b[j + 1]!) i += 2;
    else j += 2;
  }
  return true;
}

/** Sorts intervals in any order, and joins those that touch. */
export function toSet(
  intervals: readonly (readonly [Bound, Bound])[],
): IntervalSet {
  const sorted = intervals.filter(([lo, hi]) => lo < hi)
    .toSorted(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  const result: Bound[] = [];
  for (const [lo, hi] of sorted) {
    const last = result.length - 1;
    if (last > 0 && lo <= result[last]!) {
      if (hi > result[last]!) result[last] = hi;
    } else result.push(lo, hi);
  }
  return result;
}

/** How many numbers are in it, as nearly as a double can say. */
export function sizeOf(set: IntervalSet): number {
  let size = 0;
  for (let i = 0; i < set.length; i += 2) {
    size += Number(set[i + 1]) - Number(set[i]);
  }
  // The ends of a small interval of IPv6 are the same double.
  return set.length > 0 ? Math.max(size, 1) : 0;
}

/** The first interval of the set that does not end before the number. */
function firstEndingAfter(set: IntervalSet, bound: Bound): number {
  let lo = 0;
  let hi = set.length / 2;
  while (lo < hi) {
    const middle = (lo + hi) >> 1;
    if (set[2 * middle + 1]! <= bound) lo = middle + 1;
    else hi = middle;
  }
  return 2 * lo;
}
