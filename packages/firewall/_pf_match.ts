import { everyAddress, prefixSpan, type Span } from "./_address.ts";
import { every, inTable, type Match, negate, within } from "./_other_match.ts";
import type { PfRuleset } from "./_pf_evaluate.ts";
import type { PfEnd, PfPort, PfRule } from "./_pf_parser.ts";
import type { Family } from "./outcome.ts";

/** A packet of the connection, or a set of them. */
export interface PfPacket {
  readonly family: Family;
  readonly protocol: "tcp" | "udp";
  /** Its flags of TCP: of the first, the answer to it, or a later one. */
  readonly flags: "S" | "SA" | "A";
  readonly direction: "in" | "out";
  /** Our port. */
  readonly port: number;
  /** The other side; undefined for anywhere. */
  readonly peer: Span | undefined;
  readonly interface: string | undefined;
}

const LOOPBACK: Readonly<Record<Family, Span>> = {
  ipv4: prefixSpan("127.0.0.0", 8)!,
  ipv6: prefixSpan("::1", 128)!,
};
/** Whether a rule concerns a packet. */
export function matchPfRule(
  rule: PfRule,
  packet: PfPacket,
  ruleset: Pick<PfRuleset, "tables">,
  path: string,
): Match {
  return every(parts(rule, packet, ruleset, path));
}

function* parts(
  rule: PfRule,
  packet: PfPacket,
  ruleset: Pick<PfRuleset, "tables">,
  path: string,
): Generator<Match> {
  const { direction, family, protocol, flags } = rule;
  if (direction !== undefined && direction !== packet.direction) yield "no";
  if (family !== undefined && family !== packet.family) yield "no";
  if (protocol !== undefined && !isProtocol(protocol, packet)) yield "no";
  if (rule.interface !== undefined) {
    yield interfaceMatch(rule.interface, packet);
  }
  if (flags !== undefined && packet.protocol === "tcp") {
    const seen = [...flags.of].filter((flag) => packet.flags.includes(flag));
    yield [...flags.set].sort().join() === seen.sort().join() ? "yes" : "no";
  }
  const inbound = packet.direction === "in";
  const [peer, own] = inbound ? [rule.from, rule.to] : [rule.to, rule.from];
  yield peerMatch(peer, packet, ruleset, path);
  // The other side may use any port.
  if (peer.port !== undefined) yield "maybe";
  yield ownMatch(own, packet);
  if (own.port !== undefined) yield portMatch(own.port, packet.port);
  if (rule.conditions.length > 0) yield "maybe";
}

function isProtocol(protocol: string, packet: PfPacket): boolean {
  return protocol === packet.protocol ||
    protocol === (packet.protocol === "tcp" ? "6" : "17");
}

function interfaceMatch(
  { name, negated }: NonNullable<PfRule["interface"]>,
  packet: PfPacket,
): Match {
  return negated
    ? negate(onInterface(name, packet.interface))
    : onInterface(name, packet.interface);
}

function onInterface(name: string, asked: string | undefined): Match {
  if (name === "all") return "yes";
  // From outside means by any interface but the loopback one.
  if (/^lo\d*$/.test(name)) {
    return asked === undefined ? "no" : asked === name ? "yes" : isLo(asked);
  }
  if (asked === undefined) return "maybe";
  if (asked === name) return "yes";
  // A name without a number is a group, whose members only the kernel knows.
  return /\d$/.test(name) ? "no" : "maybe";
}

function isLo(asked: string): Match {
  return /^lo\d*$/.test(asked) ? "maybe" : "no";
}

function peerMatch(
  end: PfEnd,
  packet: PfPacket,
  { tables }: Pick<PfRuleset, "tables">,
  path: string,
): Match {
  const asked = packet.peer ?? everyAddress(packet.family);
  const match = (): Match => {
    switch (end.host.type) {
      case "any":
        return "yes";
      case "span":
        return end.host.family === packet.family
          ? within(asked, [end.host.span])
          : "no";
      case "table": {
        const entries = tables.get(`${path} ${end.host.name}`) ??
          tables.get(` ${end.host.name}`);
        return entries === undefined ? "maybe" : inTable(
          asked,
          entries.filter(({ family }) => family === packet.family),
        );
      }
      case "opaque":
        return "maybe";
    }
  };
  return end.negated ? negate(match()) : match();
}

/** Our own address is not asked for, but it is none of the loopback. */
function ownMatch(end: PfEnd, packet: PfPacket): Match {
  const match = (): Match => {
    if (end.host.type === "any") return "yes";
    // Peers send to an address of the interface that they come in by.
    if (end.host.type === "opaque" && packet.interface !== undefined) {
      return end.host.text === `(${packet.interface})` ? "yes" : "maybe";
    }
    if (end.host.type !== "span") return "maybe";
    if (end.host.family !== packet.family) return "no";
    const all = everyAddress(packet.family);
    if (within(all, [end.host.span]) === "yes") return "yes";
    return within(end.host.span, [LOOPBACK[packet.family]]) === "yes"
      ? "no"
      : "maybe";
  };
  return end.negated ? negate(match()) : match();
}

/** Whether a port fulfils a condition; `maybe` with an unknown service. */
export function portMatch({ op, from, to }: PfPort, port: number): Match {
  if (from === undefined || to === undefined) return "maybe";
  const holds = {
    "=": port === from,
    "!=": port !== from,
    "<": port < from,
    "<=": port <= from,
    ">": port > from,
    ">=": port >= from,
    ":": port >= from && port <= to,
    "><": port > from && port < to,
    "<>": port < from || port > to,
  }[op];
  return holds ? "yes" : "no";
}
