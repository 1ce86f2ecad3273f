import { everyAddress, prefixSpan, type Span } from "./_address.ts";
import {
  every,
  inTable,
  type Match,
  negate,
  type OtherPacket,
  within,
} from "./_other_match.ts";
import type { PfRuleset } from "./_pf_evaluate.ts";
import type { PfEnd, PfPort, PfRule } from "./_pf_parser.ts";
import type { Family } from "./outcome.ts";

/** A packet, as pf sees it. */
export type PfPacket = OtherPacket;

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
  yield ownMatch(own, packet, ruleset, path);
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
  ruleset: Pick<PfRuleset, "tables">,
  path: string,
): Match {
  const asked = packet.peer ?? everyAddress(packet.family);
  const match = hostMatch(end.host, asked, packet.family, ruleset, path);
  return end.negated ? negate(match) : match;
}

function hostMatch(
  host: PfEnd["host"],
  asked: Span,
  family: Family,
  { tables }: Pick<PfRuleset, "tables">,
  path: string,
): Match {
  switch (host.type) {
    case "any":
      return "yes";
    case "span":
      return host.family === family ? within(asked, [host.span]) : "no";
    case "table": {
      const entries = tables.get(`${path} ${host.name}`) ??
        tables.get(` ${host.name}`);
      return entries === undefined
        ? "maybe"
        : inTable(asked, entries.filter((entry) => entry.family === family));
    }
    case "opaque":
      return "maybe";
  }
}

function ownMatch(
  end: PfEnd,
  packet: PfPacket,
  ruleset: Pick<PfRuleset, "tables">,
  path: string,
): Match {
  const match = ownHost(end.host, packet, ruleset, path);
  return end.negated ? negate(match) : match;
}

function ownHost(
  host: PfEnd["host"],
  packet: PfPacket,
  ruleset: Pick<PfRuleset, "tables">,
  path: string,
): Match {
  const { family, own } = packet;
  // Peers send to an address of the interface that they come in by.
  if (host.type === "opaque" && packet.interface !== undefined) {
    return host.text === `(${packet.interface})` ? "yes" : "maybe";
  }
  if (own !== undefined) return hostMatch(host, own, family, ruleset, path);
  // Which of ours it is is not told, but it is none of the loopback.
  if (host.type === "any") return "yes";
  if (host.type !== "span") return "maybe";
  if (host.family !== family) return "no";
  if (within(everyAddress(family), [host.span]) === "yes") return "yes";
  return within(host.span, [LOOPBACK[family]]) === "yes" ? "no" : "maybe";
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
