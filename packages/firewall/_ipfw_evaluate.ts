import { everyAddress, prefixSpan, type Span } from "./_address.ts";
import type {
  IpfwHost,
  IpfwRule,
  IpfwTables,
  IpfwTest,
} from "./_ipfw_rules.ts";
import {
  every,
  inTable,
  type Match,
  negate,
  some,
  within,
} from "./_other_match.ts";
import type { Family } from "./outcome.ts";

/** A packet of the connection, or a set of them. */
export interface IpfwPacket {
  readonly family: Family;
  readonly protocol: "tcp" | "udp";
  readonly flags: "S" | "SA" | "A";
  readonly direction: "in" | "out";
  /** Our port. */
  readonly port: number;
  /** The other side; undefined for anywhere. */
  readonly peer: Span | undefined;
  readonly interface: string | undefined;
  /** The name of the flows that it belongs to, if its state was kept. */
  readonly flow: string | undefined;
}

/** A rule that may decide. */
export interface IpfwDecision {
  readonly verdict: "allow" | "deny" | "unknown";
  /** Undefined where the rules end without one that decides. */
  readonly rule: IpfwRule | undefined;
}

const RUNS_OUT: IpfwDecision = { verdict: "unknown", rule: undefined };

/**
 * All decisions that a packet may meet, one when it is certain: the first rule
 * that matches and decides, in the order of numbers.
 */
export function walkIpfw(
  rules: readonly IpfwRule[],
  tables: IpfwTables,
  packet: IpfwPacket,
): IpfwDecision[] {
  const on = rules.filter(({ disabled }) => !disabled);
  // The kernel prints them in order; something else is not its list.
  if (on.some(({ number }, at) => number < (on[at - 1]?.number ?? 0))) {
    return [RUNS_OUT];
  }
  // From the end: what may happen from each rule on.
  let next: readonly IpfwDecision[] = [RUNS_OUT];
  const from: (readonly IpfwDecision[])[] = [];
  for (let at = on.length - 1; at >= 0; at--) {
    const rule = on[at]!;
    next = decisionsAt(
      rule,
      next,
      (target) => {
        // Backwards, or behind the last rule: the kernel takes neither.
        return target <= rule.number ? undefined : from[firstFrom(on, target)];
      },
      tables,
      packet,
    );
    from[at] = next;
  }
  return [...next];
}

/** The index of the first rule with a number or a higher one. */
function firstFrom(rules: readonly IpfwRule[], number: number): number {
  let [low, high] = [0, rules.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rules[middle]!.number < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

function decisionsAt(
  rule: IpfwRule,
  after: readonly IpfwDecision[],
  jump: (target: number) => readonly IpfwDecision[] | undefined,
  tables: IpfwTables,
  packet: IpfwPacket,
): readonly IpfwDecision[] {
  // A rule that keeps states looks them up before its own conditions.
  const looksUp = rule.action.type === "check-state"
    ? rule.action.flow
    : rule.looksUp
    ? rule.keeps
    : undefined;
  if (packet.flow !== undefined && looksUp !== undefined) {
    if (looksUp === ":any" || looksUp === packet.flow) {
      return [{ verdict: "allow", rule }];
    }
  }
  if (rule.action.type === "check-state") return after;
  const match = matchIpfwRule(rule, tables, packet);
  if (match === "no" || rule.action.type === "continue") return after;
  const here = decide(rule, jump);
  return match === "yes" ? here : [...new Set([...here, ...after])];
}

function decide(
  rule: IpfwRule,
  jump: (target: number) => readonly IpfwDecision[] | undefined,
): readonly IpfwDecision[] {
  switch (rule.action.type) {
    case "allow":
    case "deny":
      return [{ verdict: rule.action.type, rule }];
    case "skipto":
      return jump(rule.action.target) ?? [{ verdict: "unknown", rule }];
    default:
      return [{ verdict: "unknown", rule }];
  }
}

/** Whether a rule concerns a packet. */
export function matchIpfwRule(
  rule: IpfwRule,
  tables: IpfwTables,
  packet: IpfwPacket,
): Match {
  return every(rule.tests.map((tests) =>
    some(tests.map((test) => {
      const match = testMatch(test, tables, packet);
      return test.negated ? negate(match) : match;
    }))
  ));
}

function yes(holds: boolean): Match {
  return holds ? "yes" : "no";
}

function testMatch(
  test: IpfwTest,
  tables: IpfwTables,
  packet: IpfwPacket,
): Match {
  const inbound = packet.direction === "in";
  const tcp = packet.protocol === "tcp";
  switch (test.on) {
    case "always":
      return "yes";
    case "never":
      return "no";
    case "in":
      return yes(inbound);
    case "out":
      return yes(!inbound);
    case "setup":
      return yes(tcp && packet.flags === "S");
    case "established":
      return yes(tcp && packet.flags !== "S");
    case "tcpflags":
      return tcp ? flagsMatch(test.flags, packet.flags) : "no";
    case "proto":
      return protocolMatch(test.name, packet);
    case "src":
    case "dst": {
      const peer = (test.on === "src") === inbound;
      return some(
        test.hosts.map((host) =>
          peer ? peerMatch(host, tables, packet) : ownMatch(host, packet)
        ),
      );
    }
    case "src-port":
    case "dst-port": {
      // The other side may use any port.
      if ((test.on === "src-port") === inbound) return "maybe";
      return test.ports === undefined ? "maybe" : yes(
        test.ports.some(({ lo, hi }) => packet.port >= lo && packet.port <= hi),
      );
    }
    case "via":
      return interfaceMatch(test.name, packet.interface);
    case "recv":
      return inbound ? interfaceMatch(test.name, packet.interface) : "no";
    case "xmit":
      return inbound ? "no" : interfaceMatch(test.name, packet.interface);
    case "opaque":
      return "maybe";
  }
}

const FLAGS: Readonly<Record<string, string>> = {
  syn: "S",
  ack: "A",
  fin: "F",
  rst: "R",
  psh: "P",
  urg: "U",
};

function flagsMatch(text: string, flags: string): Match {
  return every(
    text.split(",").map((part) => {
      const not = part.startsWith("!");
      const flag = FLAGS[not ? part.slice(1) : part];
      if (flag === undefined) return "maybe";
      // Later packets may have others as well; those of a handshake do not.
      if (flags === "A" && flag !== "A" && flag !== "S") return "maybe";
      return yes(flags.includes(flag) !== not);
    }),
  );
}

function protocolMatch(name: string, { protocol, family }: IpfwPacket): Match {
  switch (name) {
    case "ip":
    case "all":
      return "yes";
    case "ip4":
    case "ipv4":
      return yes(family === "ipv4");
    case "ip6":
    case "ipv6":
      return yes(family === "ipv6");
    default:
      return yes(
        name === protocol || name === (protocol === "tcp" ? "6" : "17"),
      );
  }
}

function interfaceMatch(name: string, asked: string | undefined): Match {
  if (name === "any" || name === "*") return "yes";
  if (/[.:(]/.test(name)) return "maybe"; // by an address, or by a table
  const start = name.endsWith("*") ? name.slice(0, -1) : undefined;
  if (/^lo\d*\*?$/.test(name)) {
    if (asked === undefined) return "no";
  } else if (asked === undefined) return "maybe";
  return yes(start === undefined ? asked === name : asked.startsWith(start));
}

function peerMatch(
  host: IpfwHost,
  tables: IpfwTables,
  packet: IpfwPacket,
): Match {
  const asked = packet.peer ?? everyAddress(packet.family);
  switch (host.type) {
    case "any":
      return "yes";
    // It comes from outside.
    case "me":
    case "me6":
      return "no";
    case "span":
      return host.family === packet.family ? within(asked, [host.span]) : "no";
    case "table": {
      const entries = tables.get(host.name);
      return entries === undefined ? "maybe" : inTable(
        asked,
        entries.filter(({ family }) => family === packet.family),
      );
    }
    case "opaque":
      return "maybe";
  }
}

const LOOPBACK: Readonly<Record<Family, Span>> = {
  ipv4: prefixSpan("127.0.0.0", 8)!,
  ipv6: prefixSpan("::1", 128)!,
};

function ownMatch(host: IpfwHost, { family }: IpfwPacket): Match {
  switch (host.type) {
    case "any":
    case "me":
      return "yes";
    case "me6":
      return yes(family === "ipv6");
    case "span":
      if (host.family !== family) return "no";
      if (within(everyAddress(family), [host.span]) === "yes") return "yes";
      return within(host.span, [LOOPBACK[family]]) === "yes" ? "no" : "maybe";
    default:
      return "maybe";
  }
}
