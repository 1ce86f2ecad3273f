import { assert, assertEquals } from "@std/assert";
import { diffSnapshots } from "./diff.ts";
import { concerns, renderScreen, type Screen } from "./_screen.ts";
import { link, snapshot } from "./testdata/snapshots.ts";

const BASE = snapshot([link("eth0", 2, "10.0.0.2")], "10.0.0.1");
const SCREEN: Screen = {
  snapshot: BASE,
  log: [],
  fresh: new Set(),
  notes: [],
  columns: 60,
  rows: 20,
  colours: false,
};

Deno.test("the screen shows interfaces, addresses, defaults, and the log below", () => {
  const after = snapshot([link("eth0", 2, "10.0.0.2")], "10.0.0.9");
  const [event] = diffSnapshots(BASE, after)
    .filter(({ type }) => type === "gateway-changed");
  const log = [{ at: "12:00:00.000", event: event!, latencyMs: 3.21 }];
  const lines = renderScreen({ ...SCREEN, snapshot: after, log, columns: 120 });
  assertEquals(lines, [
    "INTERFACE  STATE        ADDRESSES",
    "eth0       up           10.0.0.2/24",
    "",
    "default IPv4  10.0.0.9  dev eth0",
    "default IPv6  none",
    "online",
    "",
    "12:00:00.000    3.2 ms  gateway-changed: IPv4 10.0.0.1 dev eth0 -> 10.0.0.9 dev eth0 (replaced)",
  ]);
  assertEquals(concerns(event!), ["IPv4"]);
});

Deno.test("what changed is highlighted, in colours only", () => {
  const fresh = new Set(["eth0"]);
  const plain = renderScreen({ ...SCREEN, fresh }).join("\n");
  assert(!plain.includes("\u001b"));
  const lines = renderScreen({ ...SCREEN, fresh, colours: true });
  assert(lines[1]!.includes("\u001b[33m") && lines[1]!.includes("eth0"));
  assert(!lines[3]!.includes("\u001b"));
});

Deno.test("nothing is wider or higher than the terminal, and no name moves its cursor", () => {
  const names = Array.from({ length: 50 }, (_, i) => `\u001b[2Jevil${i}`);
  const many = snapshot(names.map((name, i) => link(name, i + 1)));
  for (const [columns, rows] of [[20, 5], [7, 2], [80, 24]] as const) {
    const lines = renderScreen({ ...SCREEN, snapshot: many, columns, rows });
    assert(lines.length < rows || lines.length === 1);
    assert(lines.every((line) => line.length <= columns));
    assert(!lines.join("").includes("\u001b"));
  }
});
