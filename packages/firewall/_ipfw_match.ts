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
  type OtherPacket,
  some,
  within,
} from "./_other_match.ts";
import type { Family } from "./outcome.ts";

/** A packet, with what ipfw keeps of its connection. */
export interface IpfwPacket extends OtherPacket {
  /** The name of the flows that it belongs to, if its state was kept. */
  readonly flow: string | undefined;
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
          peer
            ? peerMatch(host, tables, packet)
            : ownMatch(host, tables, packet)
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

function ownMatch(
  host: IpfwHost,
  tables: IpfwTables,
  packet: IpfwPacket,
): Match {
  const { family, own } = packet;
  switch (host.type) {
    case "any":
    case "me":
      return "yes";
    case "me6":
      return yes(family === "ipv6");
    case "opaque":
      return "maybe";
  }
  if (own !== undefined) {
    return peerMatch(host, tables, { ...packet, peer: own });
  }
  if (host.type === "table") return "maybe";
  if (host.family !== family) return "no";
  if (within(everyAddress(family), [host.span]) === "yes") return "yes";
  return within(host.span, [LOOPBACK[family]]) === "yes" ? "no" : "maybe";
}
