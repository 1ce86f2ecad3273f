import { assertEquals } from "@std/assert";
import { step, wakeAt } from "./_core.ts";
import {
  type CoreConfig,
  type CoreInput,
  type CoreState,
  initial,
} from "./_core_state.ts";
import type { NetworkSnapshot } from "./snapshot.ts";
import { address, link, snapshot } from "./testdata/snapshots.ts";

const CONFIG: CoreConfig = {
  pollMs: 1_000,
  fullReadMs: 60_000,
  fallbackReadMs: 2_000,
  quietMs: 250,
  settleMsMax: 2_000,
  monitor: true,
  poll: true,
};
/** A network behind a router that is known to answer. */
function behind(gateway: string, hardware?: string): NetworkSnapshot {
  const route = { family: "IPv4", interface: "eth0", gateway } as const;
  const known = hardware === undefined ? route : { ...route, hardware };
  const effective = { IPv4: known };
  return snapshot([link("eth0", 2, "10.0.0.2")], gateway, { effective });
}

const MAC = "02:00:00:00:00:01";
const A = behind("10.0.0.1", MAC);
const B = behind("10.0.0.9", MAC);

/** A core with a clock that goes only when told. */
class Bench {
  state: CoreState;
  nowMs = 0;
  readonly actions: string[] = [];
  readonly events: string[] = [];

  constructor(config: Partial<CoreConfig> = {}) {
    this.state = initial({ ...CONFIG, ...config });
  }

  put(input: CoreInput): void {
    const { state, events, actions } = step(this.state, input, this.nowMs);
    this.state = state;
    // The clocks have tests of their own.
    this.actions.push(...actions.filter((action) => action !== "clock"));
    this.events.push(...events.map(({ type, reason }) => `${type}: ${reason}`));
  }

  /** Wakes it whenever it wants to be woken until then. */
  runTo(atMs: number): void {
    for (let at = wakeAt(this.state); at <= atMs; at = wakeAt(this.state)) {
      this.nowMs = Math.max(this.nowMs, at);
      this.put({ type: "wake" });
      // Readings end at once here: a test that wants one to last puts hints.
      if (this.state.reading) this.put({ type: "snapshot", snapshot: A });
    }
    this.nowMs = atMs;
  }

  take(): string[] {
    return this.actions.splice(0);
  }
}

/** Started, first snapshot read, monitor live, nothing pending. */
function running(config: Partial<CoreConfig> = {}): Bench {
  const bench = new Bench(config);
  bench.put({ type: "start" });
  bench.put({ type: "monitor-started" });
  bench.put({ type: "snapshot", snapshot: A });
  bench.runTo(600);
  bench.take();
  return bench;
}

Deno.test("start runs the monitor first, then reads, then reads again", () => {
  const bench = new Bench();
  bench.put({ type: "start" });
  assertEquals(bench.take(), ["start-monitor", "read-all"]);
  bench.put({ type: "monitor-started" });
  bench.put({ type: "snapshot", snapshot: A });
  bench.runTo(49);
  assertEquals(bench.take(), []);
  // What happened before the monitor could hear.
  bench.runTo(50);
  assertEquals(bench.take(), ["read-all"]);
});

Deno.test("a hint before the second reading does not cancel it", () => {
  const bench = new Bench();
  bench.put({ type: "start" });
  bench.put({ type: "monitor-started" });
  bench.put({ type: "snapshot", snapshot: A });
  bench.nowMs = 10;
  bench.put({ type: "hint" });
  bench.put({ type: "snapshot", snapshot: A });
  bench.take();
  bench.runTo(60);
  // One for the hint, and one for what was before the monitor could hear.
  assertEquals(bench.take(), ["read-all", "read-all"]);
});

Deno.test("hints while reading give one more reading, not one each", () => {
  const bench = running();
  bench.put({ type: "hint" });
  bench.put({ type: "hint" });
  bench.put({ type: "hint" });
  assertEquals(bench.take(), ["read"]);
  bench.put({ type: "snapshot", snapshot: B });
  assertEquals(bench.take(), ["read"]);
  bench.put({ type: "snapshot", snapshot: B });
  assertEquals(bench.take(), []);
  assertEquals(bench.events.filter((told) => told.startsWith("gateway")), [
    "gateway-changed: replaced",
  ]);
});

Deno.test("settled comes after the quiet, and at the limit when there is none", () => {
  const bench = running();
  bench.put({ type: "hint" });
  bench.put({ type: "snapshot", snapshot: B });
  const changedMs = bench.nowMs;
  bench.nowMs += 200;
  bench.put({ type: "wake" });
  bench.put({ type: "snapshot", snapshot: B });
  assertEquals(wakeAt(bench.state), changedMs + 250);
  bench.nowMs = changedMs + 250;
  bench.put({ type: "wake" });
  assertEquals(bench.events.at(-1), "settled: quiet");
  for (let i = 0; i < 20; i++) {
    bench.nowMs += 125;
    bench.put({ type: "hint" });
    bench.put({ type: "wake" });
    bench.put({ type: "snapshot", snapshot: i % 2 ? B : A });
  }
  assertEquals(
    bench.events.filter((told) => told.startsWith("settled")),
    ["settled: quiet", "settled: limit"],
  );
});

Deno.test("the cheap look comes every second, the full reading every minute", () => {
  const bench = running();
  bench.runTo(60_700);
  const actions = bench.take();
  assertEquals(actions.filter((action) => action === "poll").length, 60);
  assertEquals(actions.filter((action) => action !== "poll"), ["read-all"]);
});

Deno.test("a dead monitor is told once, replaced by readings, and tried again", () => {
  const bench = running();
  bench.events.length = 0;
  const died = {
    type: "monitor-ended",
    reason: "ip monitor ended",
    final: false,
  } as const;
  bench.put(died);
  assertEquals(bench.events, [
    "degraded: ip monitor ended: changes are found by reading every 2000 ms",
  ]);
  bench.put({ type: "snapshot", snapshot: A });
  bench.take();
  bench.runTo(bench.nowMs + 1_000);
  assertEquals(bench.take().includes("start-monitor"), true);
  // It starts and dies again: nothing new to tell, and a longer wait.
  bench.put({ type: "monitor-started" });
  bench.put(died);
  bench.runTo(bench.nowMs + 1_999);
  assertEquals(bench.take().includes("start-monitor"), false);
  bench.runTo(bench.nowMs + 1);
  assertEquals(bench.take().includes("start-monitor"), true);
  bench.put({ type: "monitor-started" });
  assertEquals(bench.events.length, 1);
  bench.runTo(bench.nowMs + 250);
  assertEquals(bench.events.at(-1), "recovered: The monitor runs again");
});

Deno.test("a hint that a fast reading does not explain is followed by a whole one", () => {
  const bench = running();
  bench.put({ type: "hint" });
  assertEquals(bench.take(), ["read"]);
  bench.put({ type: "snapshot", snapshot: A });
  bench.runTo(bench.nowMs + 2);
  assertEquals(bench.take(), ["read-all"]);
  bench.runTo(bench.nowMs + 20_000);
  assertEquals(bench.take().filter((action) => action !== "poll"), []);
});

Deno.test("after a change everything is read once it is quieter", () => {
  const bench = running();
  bench.put({ type: "hint" });
  bench.put({ type: "snapshot", snapshot: B });
  bench.take();
  bench.nowMs += 200;
  bench.put({ type: "wake" });
  assertEquals(bench.take(), ["read-all"]);
});

Deno.test("a gateway that does not answer yet is looked for, less and less", () => {
  const bench = running();
  const silent = behind("10.0.0.9");
  bench.put({ type: "hint" });
  bench.put({ type: "snapshot", snapshot: silent });
  bench.take();
  const reads: number[] = [];
  const start = bench.nowMs;
  for (let i = 0; i < 40_000; i++) {
    bench.nowMs++;
    bench.put({ type: "wake" });
    if (!bench.state.reading) continue;
    reads.push(bench.nowMs - start);
    bench.put({ type: "snapshot", snapshot: silent });
  }
  assertEquals(reads, [200, 400, 900, 1_900, 4_900, 14_900]);
  bench.events.length = 0;
  bench.put({ type: "refresh" });
  bench.put({ type: "snapshot", snapshot: behind("10.0.0.9", MAC) });
  assertEquals(bench.events, ["network-changed: identified"]);
  // Its carrier went and came: whoever answers now is compared with the last.
  bench.put({ type: "refresh" });
  bench.put({ type: "snapshot", snapshot: silent });
  bench.put({ type: "refresh" });
  bench.put({
    type: "snapshot",
    snapshot: behind("10.0.0.9", "02:00:00:00:00:02"),
  });
  assertEquals(bench.events.slice(1), ["network-changed: replaced"]);
});

Deno.test("a monitor that cannot help is not tried again", () => {
  const bench = running();
  bench.put({ type: "monitor-ended", reason: "not permitted", final: true });
  bench.runTo(100_000);
  assertEquals(bench.take().includes("start-monitor"), false);
});

Deno.test("a reading that sees less is told, and its blindness changes nothing", () => {
  const bench = running();
  bench.events.length = 0;
  bench.put({ type: "hint" });
  const blind = snapshot(
    [{ name: "eth0", addresses: [address("10.0.0.2")] }],
    undefined,
    {
      links: false,
      defaultRoutes: undefined,
      rules: undefined,
      problems: ["no ip"],
    },
  );
  bench.put({ type: "snapshot", snapshot: blind });
  assertEquals(bench.events, ["degraded: no ip"]);
  bench.put({ type: "hint" });
  bench.runTo(bench.nowMs + 100);
  assertEquals(bench.events, [
    "degraded: no ip",
    "recovered: Everything is seen again",
  ]);
});

Deno.test("a storm of hints that change nothing costs ten readings a second", () => {
  const bench = running();
  let reads = 0;
  const untilMs = bench.nowMs + 3_000;
  while (bench.nowMs < untilMs) {
    bench.put({ type: "hint" });
    reads += bench.take().filter((action) => action !== "poll").length;
    if (bench.state.reading) bench.put({ type: "snapshot", snapshot: A });
    bench.nowMs += 1;
  }
  assertEquals(reads < 45, true, `${reads} readings in 3 s`);
});
