// Rules of pf as plain objects, their text as pfctl prints it, and a naive
// model of the last match that decides, one packet at a time. It shares no
// code with what is tested.
import fc from "fast-check";

export interface ModelRule {
  readonly pass: boolean;
  readonly quick: boolean;
  readonly direction: "in" | "out" | "";
  readonly on: "" | "em0" | "em1" | "! em0" | "lo0";
  readonly proto: "" | "tcp" | "udp";
  /** First byte of the other side, 0 for any, 100 for the table. */
  readonly peer: number;
  readonly peerNot: boolean;
  readonly port:
    | ""
    | "= 80"
    | "!= 80"
    | "79:81"
    | "80 >< 90"
    | "> 80"
    | "<= 79";
  readonly flags: "" | "S/SA" | "SA/SA" | "A/A";
  readonly state: boolean;
}

export interface ModelAnchor {
  readonly path: string;
  readonly quick: boolean;
  readonly on: ModelRule["on"];
  readonly direction: ModelRule["direction"];
}

export type ModelItem = ModelRule | ModelAnchor;

export interface ModelSet {
  readonly main: readonly ModelItem[];
  /** Rulesets by path. */
  readonly anchors: Readonly<Record<string, readonly ModelRule[]>>;
  /** First bytes of the table. */
  readonly table: readonly number[];
}

const rule: fc.Arbitrary<ModelRule> = fc.record({
  pass: fc.boolean(),
  quick: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  direction: fc.constantFrom("in" as const, "in", "out", ""),
  on: fc.constantFrom("" as const, "", "em0", "em1", "! em0", "lo0"),
  proto: fc.constantFrom("" as const, "tcp", "udp"),
  peer: fc.constantFrom(0, 0, 1, 2, 3, 100),
  peerNot: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
  port: fc.constantFrom(
    "" as const,
    "",
    "= 80",
    "!= 80",
    "79:81",
    "80 >< 90",
    "> 80",
    "<= 79",
  ),
  flags: fc.constantFrom("" as const, "", "S/SA", "SA/SA", "A/A"),
  state: fc.integer({ min: 0, max: 3 }).map((n) => n > 0),
});

const anchor: fc.Arbitrary<ModelAnchor> = fc.record({
  path: fc.constantFrom("app/*", "one", "none"),
  quick: fc.boolean(),
  on: fc.constantFrom("" as const, "", "em0"),
  direction: fc.constantFrom("" as const, "in"),
});

export const modelSet: fc.Arbitrary<ModelSet> = fc.record({
  main: fc.array(fc.oneof({ weight: 4, arbitrary: rule }, anchor), {
    maxLength: 8,
  }),
  anchors: fc.record({
    "app/a": fc.array(rule, { maxLength: 3 }),
    "app/b": fc.array(rule, { maxLength: 3 }),
    "one": fc.array(rule, { maxLength: 3 }),
  }),
  table: fc.subarray([1, 2, 3]),
});

function ruleText(item: ModelRule): string {
  const { port } = item;
  const not = item.peerNot && item.peer !== 0 ? "! " : "";
  const peer = item.peer === 0
    ? "any"
    : item.peer === 100
    ? `${not}<friends:3>`
    : `${not}${item.peer}.0.0.0/8`;
  // The port of ours is at the other end for what goes out.
  const own = port === "" ? "any" : `any port ${port}`;
  const ends = item.direction === "out"
    ? `from ${own} to ${peer}`
    : `from ${peer} to ${own}`;
  return [
    item.pass ? "pass" : "block drop",
    item.direction,
    item.quick ? "quick" : "",
    item.on === "" ? "" : `on ${item.on}`,
    /\d\./.test(peer) ? "inet" : "",
    item.proto === "" ? "" : `proto ${item.proto}`,
    peer === "any" && port === "" ? "all" : ends,
    item.proto === "tcp" && item.flags !== "" ? `flags ${item.flags}` : "",
    item.pass ? (item.state ? "keep state" : "no state") : "",
    'label "x y"',
  ].filter((word) => word !== "").join(" ");
}

/** The text of a list, as `pfctl -s rules` prints it. */
export function textOf(items: readonly ModelItem[]): string {
  return items.map((item) =>
    "path" in item
      ? [
        `anchor "${item.path}"`,
        item.direction,
        item.quick ? "quick" : "",
        item.on === "" ? "" : `on ${item.on}`,
        "all",
      ].filter((word) => word !== "").join(" ")
      : ruleText(item)
  ).map((line) => `${line}\n`).join("");
}

export interface ModelPacket {
  readonly direction: "in" | "out";
  readonly on: string;
  readonly proto: "tcp" | "udp";
  readonly peer: number;
  readonly port: number;
  readonly flags: "S" | "SA" | "A";
}

interface State {
  pass: boolean;
  state: boolean;
  matched: boolean;
}

/** What pf does with one packet: `state` when it keeps one. */
export function modelWalk(
  set: ModelSet,
  packet: ModelPacket,
): "block" | "pass" | "state" {
  const last: State = { pass: true, state: false, matched: false };
  walk(set, set.main, packet, last);
  return !last.pass ? "block" : last.state ? "state" : "pass";
}

/** True when it is over. */
function walk(
  set: ModelSet,
  items: readonly ModelItem[],
  packet: ModelPacket,
  last: State,
): boolean {
  for (const item of items) {
    if (item.direction !== "" && item.direction !== packet.direction) continue;
    if (!onMatches(item.on, packet.on)) continue;
    if ("path" in item) {
      last.matched = false;
      const paths = item.path === "app/*"
        ? Object.keys(set.anchors).filter((path) => path.startsWith("app/"))
          .sort()
        : [item.path];
      for (const path of paths) {
        if (walk(set, set.anchors[path] ?? [], packet, last)) return true;
      }
      if (item.quick && last.matched) return true;
      continue;
    }
    if (!concerns(set, item, packet)) continue;
    last.matched = true;
    last.pass = item.pass;
    last.state = item.pass && item.state;
    if (item.quick) return true;
  }
  return false;
}

function onMatches(on: ModelRule["on"], name: string): boolean {
  if (on === "") return true;
  return on.startsWith("!") ? on.slice(2) !== name : on === name;
}

function concerns(
  set: ModelSet,
  item: ModelRule,
  packet: ModelPacket,
): boolean {
  if (item.proto !== "" && item.proto !== packet.proto) return false;
  if (item.peer !== 0) {
    const inside = item.peer === 100
      ? set.table.includes(packet.peer)
      : item.peer === packet.peer;
    if (inside === item.peerNot) return false;
  }
  if (!portHolds(item, packet)) return false;
  if (item.proto === "tcp" && packet.proto === "tcp" && item.flags !== "") {
    const [set, of] = item.flags.split("/") as [string, string];
    const seen = [...of].filter((flag) => packet.flags.includes(flag));
    if ([...set].sort().join("") !== seen.sort().join("")) return false;
  }
  return true;
}

/** A rule without a direction looks at the port of the receiver. */
function portHolds(item: ModelRule, packet: ModelPacket): boolean {
  if (item.port === "") return true;
  const ours = item.direction === "out" || packet.direction === "in";
  const port = ours ? packet.port : 50_000;
  return {
    "= 80": port === 80,
    "!= 80": port !== 80,
    "79:81": port >= 79 && port <= 81,
    "80 >< 90": port > 80 && port < 90,
    "> 80": port > 80,
    "<= 79": port <= 79,
  }[item.port];
}

/** Whether a connection to one of our ports is let in, with its answers. */
export function modelAccepts(
  set: ModelSet,
  packet: Omit<ModelPacket, "direction" | "flags">,
): boolean {
  const go = (
    direction: ModelPacket["direction"],
    flags: ModelPacket["flags"],
  ) => modelWalk(set, { ...packet, direction, flags });
  const first = go("in", "S");
  if (first !== "pass") return first === "state";
  return go("out", "SA") !== "block" && go("in", "A") !== "block" &&
    go("out", "A") !== "block";
}
