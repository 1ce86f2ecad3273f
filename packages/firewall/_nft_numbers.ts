import { addressNumber, familyOf, prefixSpan } from "./_address.ts";
import { intervalOf } from "./_address_set.ts";
import { type Bound, type IntervalSet, toSet } from "./_interval_set.ts";
import { isRecord } from "./_nft_ruleset.ts";

/** Parsed once: a packet is compared with the same rules again and again. */
const cache = new WeakMap<object, IntervalSet | "other">();

/** Elements that are numbers, addresses, ranges or prefixes, as a set. */
export function numbersOf(
  elements: readonly unknown[],
  key: object = elements,
): IntervalSet | undefined {
  const cached = cache.get(key);
  if (cached !== undefined) return cached === "other" ? undefined : cached;
  const intervals = elements.map((element) =>
    intervalOfElement(
      isRecord(element) && isRecord(element.elem) ? element.elem.val : element,
    )
  );
  const known = intervals.filter((one) => one !== undefined);
  // Numbers and bigints do not mix in one set; ports and addresses never do.
  const kinds = new Set(known.map(([lo]) => typeof lo));
  const set = known.length === intervals.length && kinds.size <= 1
    ? toSet(known)
    : undefined;
  cache.set(key, set ?? "other");
  return set;
}

function intervalOfElement(
  element: unknown,
): readonly [Bound, Bound] | undefined {
  const single = numberOf(element);
  if (single !== undefined) return [single, after(single)];
  if (!isRecord(element)) return undefined;
  const { range, prefix } = element;
  if (Array.isArray(range) && range.length === 2) {
    const [lo, hi] = range.map(numberOf);
    return lo === undefined || hi === undefined ? undefined : [lo, after(hi)];
  }
  if (!isRecord(prefix)) return undefined;
  const { addr, len } = prefix;
  if (typeof addr !== "string" || typeof len !== "number") return undefined;
  const span = prefixSpan(addr, len);
  return span && intervalOf(span, familyOf(addr)!);
}

function after(bound: Bound): Bound {
  return typeof bound === "bigint" ? bound + 1n : bound + 1;
}

/** A number, or an address as one. */
export function numberOf(value: unknown): Bound | undefined {
  if (typeof value === "string") {
    const number = addressNumber(value);
    return familyOf(value) === "ipv4" ? Number(number) : number;
  }
  return Number.isSafeInteger(value) && (value as number) >= 0
    ? value as number
    : undefined;
}
