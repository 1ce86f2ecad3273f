import { type IntervalSet, toSet } from "./_interval_set.ts";
import { allAddresses, intervalOf, unicast } from "./_address_set.ts";
import { parsePrefix } from "./_address.ts";
import { type Asked, sourceSpan } from "./_request.ts";
import type { Family } from "./outcome.ts";

/**
 * A text that is known, or of which only some values are ruled out. With
 * `like` it is a name that starts so: `eth*`.
 */
export interface Word {
  readonly is: string | undefined;
  readonly not: readonly string[];
  readonly like?: string;
}

/** A number of which only some bits are known. */
export interface Bits {
  readonly value: number;
  readonly known: number;
}

/** The numbers that are asked about, or some number of a set. */
export type Field = "free" | IntervalSet;

/** One packet of the asked connection, as far as it is known. */
export interface Packet {
  readonly family: Family;
  readonly protocol: "tcp" | "udp";
  readonly direction: "inbound" | "reply";
  readonly state: "new" | "established";
  readonly flags: Bits | undefined;
  readonly saddr: Field;
  readonly daddr: Field;
  readonly sport: Field;
  readonly dport: Field;
  /** The interfaces in and out; undefined where there is none. */
  readonly iif: Word | undefined;
  readonly oif: Word | undefined;
  /** The hooks that it passes, in order. */
  readonly hooks: readonly string[];
}

/** What is asked about at once: all sources, or all ports. */
export interface Question {
  readonly family: Family;
  readonly protocol: "tcp" | "udp";
  readonly port: Field;
  readonly source: Field;
  readonly address: IntervalSet;
  readonly link: Word;
  /** The numbers that "free" stands for. */
  readonly all: IntervalSet;
}

/** All ports that a packet can be sent to. */
export const PORTS: IntervalSet = [1, 65_536];
const ANY_PORT: IntervalSet = [0, 65_536];

/** The interface of a request: any but the loopback one where none is said. */
export function linkOf(asked: Asked): Word {
  return { is: asked.interface, not: ["lo"] };
}

/** What is asked of one family: from which of the sources one gets in. */
export function questionOf(
  asked: Asked,
  family: Family,
  link: Word = linkOf(asked),
): Question {
  const { protocol, port } = asked;
  const source = asked.source === undefined
    ? unicast(family)
    : toSet([intervalOf(sourceSpan(asked, family), family)]);
  return {
    ...{ family, protocol, link, all: source, source: "free" },
    port: [port, port + 1],
    address: boundTo(asked, family),
  };
}

function boundTo({ address }: Asked, family: Family): IntervalSet {
  const prefix = address === undefined ? undefined : parsePrefix(address);
  return prefix?.family === family
    ? toSet([intervalOf(prefix.span, family)])
    : unicast(family);
}

/** All ports from one set of sources, for a comparison of two rulesets. */
export function allPorts(
  family: Family,
  protocol: "tcp" | "udp",
  source: IntervalSet,
): Question {
  return {
    ...{ family, protocol, source, port: "free", all: PORTS },
    address: allAddresses(family),
    link: { is: undefined, not: ["lo"] },
  };
}

const [FIN, SYN, RST, PSH, ACK] = [1, 2, 4, 8, 16];
/** A packet without URG, ECE or CWR is not promised. */
const PLAIN = FIN | SYN | RST | ACK;
const SYN_ONLY: Bits = { value: SYN, known: PLAIN | PSH };
const SYN_ACK: Bits = { value: SYN | ACK, known: PLAIN | PSH };
const DATA: Bits = { value: ACK, known: SYN | RST | ACK };

/**
 * The packets that must all pass for a connection to work: the first one, the
 * following ones, and our answers. The last two count: a host that lets the
 * first packet in and drops established ones is as closed as any.
 */
export function packetsOf(question: Question): readonly Packet[] {
  const { family, protocol, port, source, address, link } = question;
  const inbound = {
    ...{ family, protocol },
    direction: "inbound",
    ...{ saddr: source, daddr: address, sport: ANY_PORT, dport: port },
    ...{ iif: link, oif: undefined },
    hooks: ["ingress", "prerouting", "input"],
  } as const;
  const reply = {
    ...{ family, protocol },
    ...{ direction: "reply", state: "established" } as const,
    ...{ saddr: address, daddr: source, sport: port, dport: ANY_PORT },
    iif: undefined,
    // The reverse path is valid: answers leave by the interface they came in.
    oif: link,
    hooks: ["output", "postrouting", "egress"],
  } as const;
  const tcp = protocol === "tcp";
  return [
    { ...inbound, state: "new", flags: tcp ? SYN_ONLY : undefined },
    { ...inbound, state: "established", flags: tcp ? DATA : undefined },
    ...tcp ? [{ ...reply, flags: SYN_ACK }] : [],
    { ...reply, flags: tcp ? DATA : undefined },
  ];
}
