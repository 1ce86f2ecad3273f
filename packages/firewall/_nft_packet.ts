import { everyAddress, type Span } from "./_address.ts";
import { type Asked, sourceSpan } from "./_request.ts";
import type { Family } from "./outcome.ts";

/** A text that is known, or of which only some values are ruled out. */
export interface Word {
  readonly is: string | undefined;
  readonly not: readonly string[];
}

/** One packet of the asked connection, as far as it is known. */
export interface Packet {
  readonly family: Family;
  readonly protocol: "tcp" | "udp";
  readonly direction: "inbound" | "reply";
  readonly state: "new" | "established";
  readonly saddr: Span;
  readonly daddr: Span;
  readonly sport: Span;
  readonly dport: Span;
  /** The interfaces in and out; undefined where there is none. */
  readonly iif: Word | undefined;
  readonly oif: Word | undefined;
  /** The hooks that it passes. */
  readonly hooks: readonly string[];
}

const ANY_PORT: Span = { lo: 0n, hi: 65_535n };

/**
 * The packets that must all pass for a connection to work: the first one, the
 * following ones, and our answers. The last two count: a host that lets the
 * first packet in and drops established ones is as closed as any.
 */
export function packetsOf(asked: Asked, family: Family): readonly Packet[] {
  const port: Span = { lo: BigInt(asked.port), hi: BigInt(asked.port) };
  // From outside: never the loopback interface.
  const link: Word = { is: asked.interface, not: ["lo"] };
  const source = sourceSpan(asked, family);
  const inbound = {
    family,
    protocol: asked.protocol,
    direction: "inbound",
    saddr: source,
    daddr: everyAddress(family),
    sport: ANY_PORT,
    dport: port,
    iif: link,
    oif: undefined,
    hooks: ["prerouting", "input"],
  } as const;
  const reply = {
    family,
    protocol: asked.protocol,
    direction: "reply",
    saddr: everyAddress(family),
    daddr: source,
    sport: port,
    dport: ANY_PORT,
    iif: undefined,
    // By which interface the answer leaves is for the routes to say.
    oif: { is: undefined, not: ["lo"] },
    hooks: ["output", "postrouting"],
  } as const;
  return [
    { ...inbound, state: "new" },
    { ...inbound, state: "established" },
    { ...reply, state: "established" },
  ];
}
