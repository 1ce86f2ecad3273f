import { addressNumber, prefixSpan, type Span } from "./_address.ts";
import type { Packet, Word } from "./_nft_packet.ts";
import { isRecord, nftKey, type NftRuleset } from "./_nft_ruleset.ts";

/** Whether something holds, as far as it can be known. */
export type Three = "yes" | "no" | "maybe";

/** Where names of sets are looked up. */
export interface Scope {
  readonly ruleset: NftRuleset;
  readonly family: string;
  readonly table: string;
}

/** What a packet has in one place. */
type Value =
  | { readonly kind: "span"; readonly span: Span }
  | { readonly kind: "word"; readonly word: Word }
  /** The packet has no such header: the rule does not apply, whatever it asks. */
  | { readonly kind: "absent" }
  | { readonly kind: "unknown" };

const UNKNOWN: Value = { kind: "unknown" };
const ABSENT: Value = { kind: "absent" };

const word = (is: string): Value => ({ kind: "word", word: { is, not: [] } });

/** Whether a `match` statement holds for the packet. */
export function matchStatement(
  statement: unknown,
  packet: Packet,
  scope: Scope,
): Three {
  if (!isRecord(statement)) return "maybe";
  const { op, left, right } = statement;
  const value = valueOf(left, packet);
  if (value.kind === "absent") return "no";
  if (value.kind === "unknown") return "maybe";
  switch (op) {
    case "==":
      return matchRight(value, right, scope);
    case "!=":
      return not(matchRight(value, right, scope));
    case "in":
      // Bits: only those of a connection, where one is enough.
      return isConntrack(left) ? matchAny(value, list(right), false) : "maybe";
    case "<":
    case "<=":
    case ">":
    case ">=":
      return compare(value, op, right);
    default:
      return "maybe";
  }
}

/** Whether the packet's value for `key` is the one element. */
export function matchElement(
  key: unknown,
  element: unknown,
  packet: Packet,
): Three {
  const value = valueOf(key, packet);
  if (value.kind === "absent") return "no";
  if (value.kind === "unknown") return "maybe";
  return matchOne(value, element);
}

/** The elements that a right-hand side stands for; undefined when unknown. */
export function elementsOf(
  right: unknown,
  scope: Scope,
): { elements: readonly unknown[]; dynamic: boolean } | undefined {
  if (typeof right === "string" && right.startsWith("@")) {
    const key = nftKey(scope.family, scope.table, right.slice(1));
    return scope.ruleset.sets.get(key);
  }
  if (isRecord(right) && Array.isArray(right.set)) {
    return { elements: right.set, dynamic: false };
  }
  return undefined;
}

function matchRight(value: Value, right: unknown, scope: Scope): Three {
  const named = typeof right === "string" && right.startsWith("@");
  if (named || isRecord(right) && "set" in right) {
    const set = elementsOf(right, scope);
    return set === undefined
      ? "maybe"
      : matchAny(value, set.elements, set.dynamic);
  }
  return matchOne(value, right);
}

function matchAny(
  value: Value,
  elements: readonly unknown[],
  dynamic: boolean,
): Three {
  // A set that the kernel fills by itself may hold more by now.
  let result: Three = dynamic ? "maybe" : "no";
  for (const element of elements) {
    const one = matchOne(value, element);
    if (one === "yes") return dynamic ? "maybe" : "yes";
    if (one === "maybe") result = "maybe";
  }
  return result;
}

function matchOne(value: Value, element: unknown): Three {
  if (isRecord(element) && isRecord(element.elem)) {
    const { val, timeout, expires } = element.elem;
    const inner = matchOne(value, val);
    const lasting = timeout === undefined && expires === undefined;
    return inner === "yes" && !lasting ? "maybe" : inner;
  }
  if (value.kind === "word") {
    return typeof element === "string"
      ? matchWord(value.word, element)
      : "maybe";
  }
  if (value.kind !== "span") return "maybe";
  const span = spanOf(element);
  return span === undefined ? "maybe" : within(value.span, span);
}

function matchWord({ is, not }: Word, wanted: string): Three {
  const pattern = wanted.endsWith("*") ? wanted.slice(0, -1) : undefined;
  const holds = (text: string) =>
    pattern === undefined ? text === wanted : text.startsWith(pattern);
  if (is !== undefined) return holds(is) ? "yes" : "no";
  // A pattern may cover more than the names that are ruled out.
  return pattern === undefined && not.includes(wanted) ? "no" : "maybe";
}

function within(value: Span, wanted: Span): Three {
  if (value.lo >= wanted.lo && value.hi <= wanted.hi) return "yes";
  return value.hi < wanted.lo || value.lo > wanted.hi ? "no" : "maybe";
}

function compare(value: Value, op: string, right: unknown): Three {
  const limit = spanOf(right);
  if (value.kind !== "span" || limit === undefined || limit.lo !== limit.hi) {
    return "maybe";
  }
  const at = limit.lo;
  const top = 1n << 128n;
  switch (op) {
    case "<":
      return within(value.span, { lo: 0n, hi: at - 1n });
    case "<=":
      return within(value.span, { lo: 0n, hi: at });
    case ">":
      return within(value.span, { lo: at + 1n, hi: top });
    default:
      return within(value.span, { lo: at, hi: top });
  }
}

function not(three: Three): Three {
  return three === "maybe" ? "maybe" : three === "yes" ? "no" : "yes";
}

/** A number, an address, a range or a prefix, as numbers. */
function spanOf(element: unknown): Span | undefined {
  const single = numberOf(element);
  if (single !== undefined) return { lo: single, hi: single };
  if (!isRecord(element)) return undefined;
  const { range, prefix } = element;
  if (Array.isArray(range) && range.length === 2) {
    const [lo, hi] = range.map(numberOf);
    return lo === undefined || hi === undefined ? undefined : { lo, hi };
  }
  if (!isRecord(prefix)) return undefined;
  const { addr, len } = prefix;
  if (typeof addr !== "string" || typeof len !== "number") return undefined;
  return prefixSpan(addr, len);
}

function numberOf(value: unknown): bigint | undefined {
  if (typeof value === "string") return addressNumber(value);
  if (!Number.isSafeInteger(value) || (value as number) < 0) return undefined;
  return BigInt(value as number);
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function isConntrack(left: unknown): boolean {
  return isRecord(left) && isRecord(left.ct);
}

/** What the packet has where the left-hand side points. */
function valueOf(left: unknown, packet: Packet): Value {
  if (!isRecord(left)) return UNKNOWN;
  if (isRecord(left.payload)) return payloadOf(left.payload, packet);
  if (isRecord(left.meta)) return metaOf(left.meta.key, packet);
  if (isRecord(left.ct)) return ctOf(left.ct, packet);
  return UNKNOWN;
}

function payloadOf(
  { protocol, field }: Record<string, unknown>,
  packet: Packet,
): Value {
  if (protocol === "th" || protocol === "tcp" || protocol === "udp") {
    if (protocol !== "th" && protocol !== packet.protocol) return ABSENT;
    if (field === "dport") return { kind: "span", span: packet.dport };
    if (field === "sport") return { kind: "span", span: packet.sport };
    return UNKNOWN;
  }
  if (protocol === "ip" || protocol === "ip6") {
    const family = protocol === "ip" ? "ipv4" : "ipv6";
    if (family !== packet.family) return ABSENT;
    if (field === "saddr") return { kind: "span", span: packet.saddr };
    if (field === "daddr") return { kind: "span", span: packet.daddr };
    if (field === "protocol") return word(packet.protocol);
    return UNKNOWN;
  }
  const others = ["icmp", "icmpv6", "sctp", "dccp", "udplite", "esp", "ah"];
  return others.includes(String(protocol)) ? ABSENT : UNKNOWN;
}

function metaOf(key: unknown, packet: Packet): Value {
  const link = (name: Word | undefined): Value =>
    name === undefined ? UNKNOWN : { kind: "word", word: name };
  switch (key) {
    case "l4proto":
      return word(packet.protocol);
    case "nfproto":
      return word(packet.family);
    case "protocol":
      return word(packet.family === "ipv4" ? "ip" : "ip6");
    case "iifname":
    case "iif":
      return link(packet.iif);
    case "oifname":
    case "oif":
      return link(packet.oif);
    default:
      return UNKNOWN;
  }
}

function ctOf({ key }: Record<string, unknown>, packet: Packet): Value {
  if (key === "state") return word(packet.state);
  // A rule that may translate the address makes the whole outcome unknown; so
  // where this is asked, there was none.
  return key === "status"
    ? { kind: "word", word: { is: undefined, not: ["dnat", "snat"] } }
    : UNKNOWN;
}
