// Rules of ipfw as plain objects, their text as `ipfw -S list` prints it, and
// a naive model of the first match that decides, one packet at a time. It
// shares no code with what is tested.
import fc from "fast-check";

export interface ModelRule {
  readonly action: "allow" | "deny" | "count" | "skipto" | "check-state";
  /** How many rules a `skipto` passes over. */
  readonly skip: number;
  readonly off: boolean;
  readonly proto: "ip" | "tcp" | "udp" | "{ tcp or udp }" | "ip6";
  /** First byte of the other side; 0 for any, 100 for the table. */
  readonly peer: number;
  readonly peerNot: boolean;
  readonly port: "" | "80" | "79-81" | "22,80" | "not 80";
  readonly way:
    | ""
    | "in"
    | "out"
    | "in recv em0"
    | "via em0"
    | "via lo0"
    | "not via em0"
    | "out xmit em*";
  readonly tcp:
    | ""
    | "setup"
    | "established"
    | "tcpflags syn,!ack"
    | "not setup";
  readonly keep: boolean;
  /** The name of the flows that it keeps; left out for the shared one. */
  readonly flow?: "default" | "ours";
}

const rule: fc.Arbitrary<ModelRule> = fc.record({
  action: fc.constantFrom(
    "allow" as const,
    "allow",
    "deny",
    "count",
    "skipto",
    "check-state",
  ),
  skip: fc.integer({ min: 1, max: 4 }),
  off: fc.integer({ min: 0, max: 6 }).map((n) => n === 0),
  proto: fc.constantFrom(
    "ip" as const,
    "tcp",
    "udp",
    "{ tcp or udp }",
    "ip6",
  ),
  peer: fc.constantFrom(0, 0, 0, 0, 1, 2, 3, 100),
  peerNot: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
  port: fc.constantFrom("" as const, "", "", "80", "79-81", "22,80", "not 80"),
  way: fc.constantFrom(
    "" as const,
    "",
    "",
    "",
    "in",
    "out",
    "in recv em0",
    "via em0",
    "via lo0",
    "not via em0",
    "out xmit em*",
  ),
  tcp: fc.constantFrom(
    "" as const,
    "",
    "",
    "",
    "setup",
    "established",
    "tcpflags syn,!ack",
    "not setup",
  ),
  keep: fc.boolean(),
});

export interface ModelSet {
  readonly rules: readonly ModelRule[];
  readonly denies: boolean;
  readonly table: readonly number[];
}

export const modelSet: fc.Arbitrary<ModelSet> = fc.record({
  rules: fc.array(rule, { maxLength: 8 }),
  denies: fc.boolean(),
  table: fc.subarray([1, 2, 3]),
});

/** Whether a rule is written for what goes out: its ends are swapped. */
function outward({ way }: ModelRule): boolean {
  return way.startsWith("out");
}

/** What `ipfw -S list` prints. */
export function textOf({ rules, denies }: ModelSet): string {
  const lines = rules.map((item, at) => {
    const not = item.peerNot && item.peer !== 0 ? "not " : "";
    const peer = item.peer === 0
      ? "any"
      : item.peer === 100
      ? `${not}table(friends)`
      : `${not}${item.peer}.0.0.0/8`;
    const own = item.port === "" ? "any" : `any ${item.port}`;
    const ends = outward(item)
      ? `from ${own} to ${peer}`
      : `from ${peer} to ${own}`;
    const number = String((at + 1) * 10).padStart(5, "0");
    const head = `${item.off ? "# DISABLED " : ""}${number} set ${
      item.off ? 5 : 0
    }`;
    if (item.action === "check-state") return `${head} check-state :default`;
    const action = item.action === "skipto"
      ? `skipto ${(at + 1 + item.skip) * 10}`
      : item.action;
    return [
      head,
      action,
      item.proto,
      ends,
      item.way,
      item.tcp,
      keeps(item) ? "keep-state :default" : "",
      "// a comment to from any",
    ].filter((word) => word !== "").join(" ");
  });
  return [
    ...lines,
    `65535 set 31 ${denies ? "deny" : "allow"} ip from any to any`,
  ]
    .map((line) => `${line}\n`).join("");
}

function keeps(item: ModelRule): boolean {
  return item.keep && item.action === "allow";
}

export interface ModelPacket {
  readonly direction: "in" | "out";
  readonly on: string;
  readonly proto: "tcp" | "udp";
  readonly peer: number;
  readonly port: number;
  readonly flags: "S" | "SA" | "A";
}

function walk(
  { rules, denies, table }: ModelSet,
  packet: ModelPacket,
  flow: "" | "default" | "ours",
): "deny" | "allow" | "default" | "ours" {
  for (let at = 0; at < rules.length; at++) {
    const item = rules[at]!;
    if (item.off) continue;
    if (item.action === "check-state" || keeps(item)) {
      if (flow === (item.flow ?? "default")) return "allow";
      if (item.action === "check-state") continue;
    }
    if (item.action === "count" || !concerns(item, packet, table)) continue;
    if (item.action === "skipto") {
      at += item.skip - 1;
      continue;
    }
    if (item.action === "deny") return "deny";
    return keeps(item) ? item.flow ?? "default" : "allow";
  }
  return denies ? "deny" : "allow";
}

function concerns(
  item: ModelRule,
  packet: ModelPacket,
  table: readonly number[],
): boolean {
  const inbound = packet.direction === "in";
  const tcp = packet.proto === "tcp";
  if (item.proto === "ip6") return false;
  if (item.proto === "tcp" && !tcp) return false;
  if (item.proto === "udp" && tcp) return false;
  const swapped = outward(item) === inbound;
  if (item.peer !== 0) {
    // Where the ends are the other way round, this one is our own address,
    // 9.9.9.9, which is in no list.
    const address = swapped ? 9 : packet.peer;
    const inside = item.peer === 100
      ? table.includes(address)
      : item.peer === address;
    if (inside === item.peerNot) return false;
  }
  const port = swapped ? 50_000 : packet.port;
  const ports: Record<ModelRule["port"], boolean> = {
    "": true,
    "80": port === 80,
    "79-81": port >= 79 && port <= 81,
    "22,80": port === 22 || port === 80,
    "not 80": port !== 80,
  };
  if (!ports[item.port]) return false;
  const ways: Record<ModelRule["way"], boolean> = {
    "": true,
    "in": inbound,
    "out": !inbound,
    "in recv em0": inbound && packet.on === "em0",
    "via em0": packet.on === "em0",
    "via lo0": packet.on === "lo0",
    "not via em0": packet.on !== "em0",
    "out xmit em*": !inbound,
  };
  if (!ways[item.way]) return false;
  const setup = tcp && packet.flags === "S";
  return {
    "": true,
    "setup": setup,
    "established": tcp && packet.flags !== "S",
    "tcpflags syn,!ack": setup,
    "not setup": !setup,
  }[item.tcp];
}

/** Whether a connection to one of our ports is let in, with its answers. */
export function modelAccepts(
  set: ModelSet,
  packet: Omit<ModelPacket, "direction" | "flags">,
): boolean {
  const first = walk(set, { ...packet, direction: "in", flags: "S" }, "");
  if (first === "deny") return false;
  return (["out", "in"] as const).every((direction) =>
    walk(
      set,
      { ...packet, direction, flags: direction === "out" ? "SA" : "A" },
      first === "allow" ? "" : first,
    ) !== "deny"
  );
}
