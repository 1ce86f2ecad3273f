import {
  intersect,
  type IntervalSet,
  isApart,
  isWithin,
  toSet,
} from "./_interval_set.ts";
import type { Bits, Word } from "./_nft_packet.ts";
import { numberOf, numbersOf } from "./_nft_numbers.ts";
import { isRecord, nftKey } from "./_nft_ruleset.ts";
import { bitsOf, type Context, type Value, valueOf } from "./_nft_value.ts";
import { and, not, or, type Tri } from "./_tri.ts";

/** Whether a `match` statement holds for the packet. */
export function matchStatement(statement: unknown, context: Context): Tri {
  if (!isRecord(statement)) return "maybe";
  const { op, left, right } = statement;
  const { all } = context;
  if (isRecord(left) && isRecord(left.meta) && left.meta.key === "time") {
    return timeIs(op, right, context);
  }
  const absent = isAbsent(left, context);
  if (absent) return "no";
  switch (op) {
    case "==":
      return holds(statement, context);
    case "!=":
      return not(holds(statement, context), all);
    case "in":
      return anyBit(left, right, context);
    case "!":
      return not(anyBit(left, right, context), all);
    case "<":
    case "<=":
    case ">":
    case ">=":
      return compare(valueOf(left, context), op, right, context);
    default:
      return "maybe";
  }
}

/** Whether the packet's value for `key` is the one element. */
export function matchElement(
  key: unknown,
  element: unknown,
  context: Context,
): Tri {
  if (isAbsent(key, context)) return "no";
  const inner = isRecord(element) && isRecord(element.elem)
    ? element.elem.val
    : element;
  if (isRecord(key) && Array.isArray(key.concat)) {
    return concatenation(key.concat, inner, context);
  }
  return matchOne(valueOf(key, context), inner, context);
}

/** The elements that a right-hand side stands for; undefined when unknown. */
export function elementsOf(
  right: unknown,
  { ruleset, family, table }: Context,
): { elements: readonly unknown[]; dynamic: boolean } | undefined {
  if (typeof right === "string" && right.startsWith("@")) {
    return ruleset.sets.get(nftKey(family, table, right.slice(1)));
  }
  if (isRecord(right) && Array.isArray(right.set)) {
    return { elements: right.set, dynamic: false };
  }
  return undefined;
}

function isAbsent(left: unknown, context: Context): boolean {
  return isRecord(left) && Array.isArray(left.concat)
    ? left.concat.some((part) => valueOf(part, context).kind === "absent")
    : valueOf(left, context).kind === "absent";
}

/** Equality with a value, or with one of a set. */
function holds(statement: Record<string, unknown>, context: Context): Tri {
  const { left, right } = statement;
  const { all } = context;
  const value = valueOf(left, context);
  const named = typeof right === "string" && right.startsWith("@");
  if (!named && !(isRecord(right) && "set" in right)) {
    if (value.kind !== "free" && value.kind !== "set") {
      return matchElement(left, right, context);
    }
    const one = numbersOf([right], statement);
    return one === undefined ? "maybe" : matchNumbers(value, one, all);
  }
  const set = elementsOf(right, context);
  if (set === undefined) return "maybe";
  const { elements, dynamic } = set;
  const known = numbersOf(elements);
  let result: Tri = "no";
  if (known !== undefined && (value.kind === "free" || value.kind === "set")) {
    result = matchNumbers(value, known, all);
  } else {
    for (const element of elements) {
      result = or(result, matchElement(left, element, context), all);
      if (result === "yes") break;
    }
  }
  // A set that packets fill may hold more by now, or less.
  return dynamic ? "maybe" : result;
}

/** For bits: one of them is enough. For words likewise. */
function anyBit(left: unknown, right: unknown, context: Context): Tri {
  const value = valueOf(left, context);
  if (value.kind === "bits") {
    const wanted = bitsOf(right, context);
    if (wanted === undefined || wanted === "absent") return "maybe";
    const { value: bits, known } = value.bits;
    if (bits & known & wanted.value) return "yes";
    return (known & wanted.value) >>> 0 === wanted.value ? "no" : "maybe";
  }
  let result: Tri = "no";
  for (const element of Array.isArray(right) ? right : [right]) {
    result = or(result, matchOne(value, element, context), context.all);
  }
  return result;
}

function concatenation(
  keys: readonly unknown[],
  element: unknown,
  context: Context,
): Tri {
  const parts = isRecord(element) ? element.concat : undefined;
  if (!Array.isArray(parts) || parts.length !== keys.length) return "maybe";
  let result: Tri = "yes";
  for (const [i, key] of keys.entries()) {
    const one = matchOne(valueOf(key, context), parts[i], context);
    result = and(result, one, context.all);
    if (result === "no") break;
  }
  return result;
}

function matchOne(value: Value, element: unknown, context: Context): Tri {
  switch (value.kind) {
    case "word":
      return matchWord(value.word, element);
    case "bits":
      return matchBits(value.bits, element, context);
    case "free":
    case "set": {
      const numbers = numbersOf([element]);
      return numbers === undefined
        ? "maybe"
        : matchNumbers(value, numbers, context.all);
    }
    case "absent":
      return "no";
    default:
      return "maybe";
  }
}

function matchNumbers(
  value: Value & { kind: "free" | "set" },
  wanted: IntervalSet,
  all: IntervalSet,
): Tri {
  if (value.kind === "set") {
    if (isWithin(value.set, wanted)) return "yes";
    return isApart(value.set, wanted) ? "no" : "maybe";
  }
  const some = intersect(all, wanted);
  return { yes: some, may: some };
}

function matchWord({ is, not, like }: Word, element: unknown): Tri {
  // Whether there is a way back is printed as a truth value.
  if (typeof element === "boolean") {
    return is === "exists" ? (element ? "yes" : "no") : "maybe";
  }
  if (typeof element === "number") {
    return PROTOCOLS[element] === undefined
      ? "maybe"
      : matchWord({ is, not }, PROTOCOLS[element]);
  }
  if (typeof element !== "string") return "maybe";
  const pattern = element.endsWith("*") ? element.slice(0, -1) : undefined;
  const matches = (text: string) =>
    pattern === undefined ? text === element : text.startsWith(pattern);
  if (is !== undefined) return matches(is) ? "yes" : "no";
  if (not.includes(element)) return "no";
  if (like === undefined) return "maybe";
  if (pattern !== undefined && like.startsWith(pattern)) return "yes";
  return (pattern ?? element).startsWith(like) ? "maybe" : "no";
}

/** Protocols that nft may print as numbers. */
const PROTOCOLS: Readonly<Record<number, string>> = {
  ...{ 1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 58: "icmpv6", 132: "sctp" },
};

function matchBits(
  { value, known }: Bits,
  element: unknown,
  context: Context,
): Tri {
  if (isRecord(element) && Array.isArray(element.range)) return "maybe";
  const wanted = bitsOf(element, context);
  if (wanted === undefined || wanted === "absent") return "maybe";
  const both = known & wanted.known;
  if ((value & both) !== (wanted.value & both)) return "no";
  return both >>> 0 === 0xffffffff ? "yes" : "maybe";
}

function compare(
  value: Value,
  op: string,
  right: unknown,
  { all }: Context,
): Tri {
  const limit = numberOf(right);
  if (limit === undefined) return "maybe";
  if (value.kind !== "free" && value.kind !== "set") return "maybe";
  const one = typeof limit === "bigint" ? 1n : 1;
  const next = (limit as number) + (one as number);
  const bottom = typeof limit === "bigint" ? 0n : 0;
  const top = typeof limit === "bigint" ? 1n << 128n : 2 ** 32;
  switch (op) {
    case "<":
      return matchNumbers(value, toSet([[bottom, limit]]), all);
    case "<=":
      return matchNumbers(value, toSet([[bottom, next]]), all);
    case ">":
      return matchNumbers(value, toSet([[next, top]]), all);
    default:
      return matchNumbers(value, toSet([[limit, top]]), all);
  }
}

/** Only of iptables the time is printed as a number. */
function timeIs(op: unknown, right: unknown, { ruleset }: Context): Tri {
  const { now } = ruleset;
  if (typeof right !== "number" || now === undefined) return "maybe";
  if (op === "<") return now < right ? "yes" : "no";
  return op === ">=" ? (now >= right ? "yes" : "no") : "maybe";
}
