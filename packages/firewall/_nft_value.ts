import type { IntervalSet } from "./_interval_set.ts";
import type { Bits, Field, Packet, Word } from "./_nft_packet.ts";
import { isRecord, type NftRuleset } from "./_nft_ruleset.ts";

/** What a rule is asked with: the packet, and what has become of it so far. */
export interface Context {
  readonly packet: Packet;
  /** The numbers that a "free" field stands for. */
  readonly all: IntervalSet;
  readonly ruleset: NftRuleset;
  /** Where names of sets are looked up. */
  readonly family: string;
  readonly table: string;
  readonly mark: Bits;
  readonly connectionMark: Bits;
  /** What `ct state` says in this hook; undefined when it cannot be told. */
  readonly state: string | undefined;
}

/** What a packet has in one place. */
export type Value =
  | { readonly kind: "free" }
  /** Some number of a set. */
  | { readonly kind: "set"; readonly set: IntervalSet }
  | { readonly kind: "word"; readonly word: Word }
  | { readonly kind: "bits"; readonly bits: Bits }
  /** The packet has no such header: the rule does not apply, whatever it asks. */
  | { readonly kind: "absent" }
  | { readonly kind: "unknown" };

/** What `ct state` says of a packet whose connection was not looked up. */
export const UNTRACKED = "invalid";

export const UNKNOWN: Value = { kind: "unknown" };
const ABSENT: Value = { kind: "absent" };
const ALL_BITS = 0xffffffff;
/** Nothing of the number is known. */
export const NO_BITS: Bits = { value: 0, known: 0 };
export const ZERO: Bits = { value: 0, known: ALL_BITS };

const FLAGS: Readonly<Record<string, number>> = {
  ...{ fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ecn: 64, cwr: 128 },
};

const word = (is: string): Value => ({ kind: "word", word: { is, not: [] } });
const field = (value: Field): Value =>
  value === "free" ? { kind: "free" } : { kind: "set", set: value };

/** What the packet has where the left-hand side points. */
export function valueOf(left: unknown, context: Context): Value {
  if (!isRecord(left)) return UNKNOWN;
  const { packet } = context;
  if (isRecord(left.payload)) return payloadOf(left.payload, packet);
  if (isRecord(left.meta)) return metaOf(left.meta.key, context);
  if (isRecord(left.ct)) return ctOf(left.ct, context);
  if (isRecord(left.fib)) return fibOf(left.fib, packet);
  if ("&" in left || "|" in left || "^" in left) {
    const bits = bitsOf(left, context);
    // `tcp flags & syn` of a packet without TCP.
    if (bits === "absent") return ABSENT;
    return bits === undefined ? UNKNOWN : { kind: "bits", bits };
  }
  return UNKNOWN;
}

/** A number made of bits; `absent` when the packet has no such header. */
export function bitsOf(
  expression: unknown,
  context: Context,
): Bits | "absent" | undefined {
  if (typeof expression === "number") {
    return { value: expression >>> 0, known: ALL_BITS };
  }
  if (typeof expression === "string") {
    const flag = FLAGS[expression];
    return flag === undefined ? undefined : { value: flag, known: ALL_BITS };
  }
  if (Array.isArray(expression)) return joined("|", expression, context);
  if (!isRecord(expression)) return undefined;
  for (const operation of ["&", "|", "^"] as const) {
    const parts = expression[operation];
    if (Array.isArray(parts)) return joined(operation, parts, context);
  }
  const value = valueOf(expression, context);
  if (value.kind === "absent") return "absent";
  return value.kind === "bits" ? value.bits : undefined;
}

function joined(
  operation: "&" | "|" | "^",
  parts: readonly unknown[],
  context: Context,
): Bits | "absent" | undefined {
  let result: Bits | undefined;
  for (const part of parts) {
    const bits = bitsOf(part, context);
    if (bits === "absent") return "absent";
    if (bits === undefined) return undefined;
    result = result === undefined ? bits : combine(operation, result, bits);
  }
  return result;
}

function combine(operation: "&" | "|" | "^", a: Bits, b: Bits): Bits {
  const both = a.known & b.known;
  if (operation === "^") {
    return { value: (a.value ^ b.value) >>> 0, known: both >>> 0 };
  }
  if (operation === "&") {
    // A zero that is known makes a zero, whatever the other one is.
    const zero = (a.known & ~a.value) | (b.known & ~b.value);
    return { value: (a.value & b.value) >>> 0, known: (both | zero) >>> 0 };
  }
  const one = (a.known & a.value) | (b.known & b.value);
  return { value: (a.value | b.value) >>> 0, known: (both | one) >>> 0 };
}

function payloadOf(
  { protocol, field: name }: Record<string, unknown>,
  packet: Packet,
): Value {
  if (protocol === "th" || protocol === "tcp" || protocol === "udp") {
    if (protocol !== "th" && protocol !== packet.protocol) return ABSENT;
    if (name === "dport") return field(packet.dport);
    if (name === "sport") return field(packet.sport);
    if (name === "flags" && packet.flags !== undefined) {
      return { kind: "bits", bits: packet.flags };
    }
    return UNKNOWN;
  }
  if (protocol === "ip" || protocol === "ip6") {
    const family = protocol === "ip" ? "ipv4" : "ipv6";
    if (family !== packet.family) return ABSENT;
    if (name === "saddr") return field(packet.saddr);
    if (name === "daddr") return field(packet.daddr);
    if (name === "protocol") return word(packet.protocol);
    return UNKNOWN;
  }
  const others = ["icmp", "icmpv6", "sctp", "dccp", "udplite", "esp", "ah"];
  return others.includes(String(protocol)) ? ABSENT : UNKNOWN;
}

function metaOf(key: unknown, { packet, mark }: Context): Value {
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
    case "mark":
      return { kind: "bits", bits: mark };
    case "pkttype":
      return packet.direction === "inbound" ? word("host") : UNKNOWN;
    default:
      return UNKNOWN;
  }
}

function ctOf({ key, dir }: Record<string, unknown>, context: Context): Value {
  if (dir !== undefined) return UNKNOWN;
  const { direction } = context.packet;
  if (key !== "state") {
    if (context.state === undefined) return UNKNOWN;
    // Before it is looked up there is no connection that could be asked.
    if (context.state === UNTRACKED) return ABSENT;
  }
  switch (key) {
    case "state":
      return context.state === undefined ? UNKNOWN : word(context.state);
    case "mark":
      return { kind: "bits", bits: context.connectionMark };
    case "direction":
      return word(direction === "inbound" ? "original" : "reply");
    case "status":
      // A rule that may translate the address makes the outcome unknown; so
      // where this is asked, there was none.
      return {
        kind: "word",
        word: { is: undefined, not: ["dnat", "snat", "expected", "dying"] },
      };
    default:
      return UNKNOWN;
  }
}

/** Our own address is local, and the way back to the peer is valid. */
function fibOf(
  { result, flags }: Record<string, unknown>,
  { direction }: Packet,
): Value {
  const list = Array.isArray(flags) ? flags : [flags];
  const ours = list.includes(direction === "inbound" ? "daddr" : "saddr");
  if (result === "type") {
    if (ours) return word("local");
    const not = ["local", "broadcast", "multicast", "anycast"];
    const never = [...not, "blackhole", "unreachable", "prohibit"];
    return { kind: "word", word: { is: undefined, not: never } };
  }
  const reverse = direction === "inbound" && list.includes("saddr") &&
    list.includes("iif");
  return result === "oif" && reverse ? word("exists") : UNKNOWN;
}
