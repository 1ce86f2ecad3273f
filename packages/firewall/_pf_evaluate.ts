import { everyAddress, prefixSpan, type Span } from "./_address.ts";
import {
  every,
  inTable,
  type Match,
  negate,
  type TableEntry,
  within,
} from "./_other_match.ts";
import type { PfEnd, PfPort, PfRule } from "./_pf_parser.ts";
import type { Family } from "./outcome.ts";

/** All rules of pf. */
export interface PfRuleset {
  readonly main: readonly PfRule[];
  /** By path; undefined for one that could not be read. */
  readonly anchors: ReadonlyMap<string, readonly PfRule[] | undefined>;
  /** By `path name`, or ` name`; undefined where one could not be read. */
  readonly tables: ReadonlyMap<string, readonly TableEntry[] | undefined>;
}

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

/** A rule that may decide, and where it stands. */
export interface PfDecision {
  readonly verdict: "pass" | "block" | "unknown";
  /** Undefined where no rule matches: pf then passes. */
  readonly rule: PfRule | undefined;
  readonly path: string;
}

const DEPTH_MAX = 64;
const RULES_MAX = 100_000;
const LOOPBACK: Readonly<Record<Family, Span>> = {
  ipv4: prefixSpan("127.0.0.0", 8)!,
  ipv6: prefixSpan("::1", 128)!,
};
const NOTHING: PfDecision = { verdict: "pass", rule: undefined, path: "" };
/** Stands for what was decided before an anchor. */
const BEFORE: PfDecision = { verdict: "unknown", rule: undefined, path: "" };

/**
 * All decisions that a packet may meet: one when it is certain. The last rule
 * that matches decides, or the first that is quick.
 */
export function walkPf(ruleset: PfRuleset, packet: PfPacket): PfDecision[] {
  const walk = new Walk(ruleset, packet);
  const { ended, open } = walk.rules(ruleset.main, "", [NOTHING], 0);
  return [...new Set([...ended, ...open])];
}

interface Ways {
  /** Decided for good. */
  readonly ended: readonly PfDecision[];
  /** Decided unless a later rule matches. */
  readonly open: readonly PfDecision[];
}

class Walk {
  readonly #ruleset: PfRuleset;
  readonly #packet: PfPacket;
  #looked = 0;

  constructor(ruleset: PfRuleset, packet: PfPacket) {
    this.#ruleset = ruleset;
    this.#packet = packet;
  }

  rules(
    rules: readonly PfRule[],
    path: string,
    before: readonly PfDecision[],
    depth: number,
  ): Ways {
    let open: readonly PfDecision[] = before;
    const ended: PfDecision[] = [];
    for (const rule of rules) {
      if (++this.#looked > RULES_MAX || depth > DEPTH_MAX) {
        return { ended: [...ended, unknown(rule, path)], open: [] };
      }
      if (rule.action === "unread") {
        ended.push(unknown(rule, path));
        continue;
      }
      const match = matchPfRule(rule, this.#packet, this.#ruleset, path);
      if (match === "no" || this.#harmless(rule)) continue;
      const ways = rule.action === "anchor"
        ? this.#anchor(rule, path, depth)
        : decided(rule, path);
      ended.push(...ways.ended);
      // Inside of an anchor, no match leaves what was decided before it.
      const after = ways.open.flatMap((way) => way === BEFORE ? open : [way]);
      open = match === "yes" ? after : [...open, ...after];
      open = [...new Set(open)];
      if (open.length === 0) break;
    }
    return { ended, open };
  }

  #harmless({ action, conditions }: PfRule): boolean {
    return action === "match" &&
      !conditions.some((text) => /rdr-to|nat-to|divert|af-to/.test(text));
  }

  #anchor(rule: PfRule, path: string, depth: number): Ways {
    let ways: Ways = { ended: [], open: [BEFORE] };
    for (const [below, rules] of this.#children(rule, path)) {
      const next = rules === undefined
        ? { ended: [unknown(rule, below)], open: ways.open }
        : this.rules(rules, below, ways.open, depth + 1);
      ways = { ended: [...ways.ended, ...next.ended], open: next.open };
    }
    if (!rule.quick) return ways;
    // A quick anchor ends it when a rule inside matched.
    return {
      ended: [...ways.ended, ...ways.open.filter((way) => way !== BEFORE)],
      open: ways.open.filter((way) => way === BEFORE),
    };
  }

  /** The rulesets that an anchor stands for, in order. */
  #children(
    rule: PfRule,
    path: string,
  ): (readonly [string, readonly PfRule[] | undefined])[] {
    if (rule.inner !== undefined) return [[path, rule.inner]];
    const named = rule.anchor ?? "";
    const full = named.startsWith("/") || path === ""
      ? named.replace(/^\//, "")
      : `${path}/${named}`;
    const { anchors } = this.#ruleset;
    if (!full.endsWith("*")) {
      return [[full, anchors.has(full) ? anchors.get(full) : []]];
    }
    const prefix = full.slice(0, -1);
    return [...anchors].filter(([name]) =>
      name.startsWith(prefix) && !name.slice(prefix.length).includes("/")
    ).sort(([a], [b]) => a < b ? -1 : 1);
  }
}

function decided(rule: PfRule, path: string): Ways {
  const decision: PfDecision = {
    verdict: rule.action === "pass" || rule.action === "block"
      ? rule.action
      : "unknown",
    rule,
    path,
  };
  return rule.quick || decision.verdict === "unknown"
    ? { ended: [decision], open: [] }
    : { ended: [], open: [decision] };
}

function unknown(rule: PfRule, path: string): PfDecision {
  return { verdict: "unknown", rule, path };
}

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
