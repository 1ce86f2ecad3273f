import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { step, wakeAt } from "./_core.ts";
import { type CoreInput, type CoreState, initial } from "./_core_state.ts";
import { diffSnapshots } from "./diff.ts";
import type { NetworkEvent } from "./network_event.ts";
import type { NetworkSnapshot } from "./snapshot.ts";
import { link, snapshot } from "./testdata/snapshots.ts";

const CONFIG = {
  pollMs: 1_000,
  fullReadMs: 60_000,
  fallbackReadMs: 1_000,
  quietMs: 250,
  settleMsMax: 2_000,
  monitor: true,
  poll: false,
};

const NETWORKS = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((gateway) =>
  snapshot([link("eth0", 2, "10.0.0.9")], gateway)
);

/** What the world does next: after how long, and what. */
const deed = fc.record({
  afterMs: fc.constantFrom(0, 1, 5, 40, 200, 900, 3_000),
  what: fc.constantFrom("change", "hint", "refresh", "die", "fail"),
  network: fc.nat(NETWORKS.length - 1),
  readMs: fc.constantFrom(0, 2, 30, 400),
});

type Deed = typeof deed extends fc.Arbitrary<infer T> ? T : never;

/** A world with one network, and a watch that sees it only by reading. */
class World {
  network: NetworkSnapshot = NETWORKS[0]!;
  nowMs = 0;
  state: CoreState = initial(CONFIG);
  readonly events: NetworkEvent[] = [];
  readMs = 0;
  #reading:
    | { readonly seen: NetworkSnapshot; readonly endMs: number }
    | undefined;
  failing = false;
  hintedMs: number | undefined;

  put(input: CoreInput): void {
    const { state, events, actions } = step(this.state, input, this.nowMs);
    this.state = state;
    this.events.push(...events);
    for (const action of actions) {
      if (action === "read" || action === "read-all") {
        assert(this.#reading === undefined, "two readings at once");
        this.#reading = {
          seen: this.network,
          endMs: this.nowMs + this.readMs,
        };
        this.hintedMs = undefined;
      } else if (action === "start-monitor") {
        this.put({ type: "monitor-started" });
      }
    }
  }

  hint(): void {
    this.hintedMs ??= this.nowMs;
    this.put({ type: "hint" });
  }

  runTo(atMs: number): void {
    for (let turns = 0;; turns++) {
      assert(turns < 10_000, "it wakes itself without end");
      const endMs = this.#reading?.endMs ?? Infinity;
      const nextMs = Math.min(wakeAt(this.state), endMs);
      if (nextMs > atMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (this.nowMs >= endMs) {
        const { seen } = this.#reading!;
        this.#reading = undefined;
        this.put(
          this.failing
            ? { type: "read-failed", reason: "it failed" }
            : { type: "snapshot", snapshot: seen },
        );
      } else this.put({ type: "wake" });
      // Every hint is followed by a reading: at once, or after the one under
      // way and the pause that storms get.
      const patienceMs = 2 * 400 + 101;
      assert(
        this.hintedMs === undefined || this.nowMs - this.hintedMs <= patienceMs,
        "a hint was forgotten",
      );
    }
    this.nowMs = atMs;
  }
}

function play(deeds: readonly Deed[]): World {
  const world = new World();
  world.put({ type: "start" });
  for (const { afterMs, what, network, readMs } of deeds) {
    world.runTo(world.nowMs + afterMs);
    world.readMs = readMs;
    world.failing = what === "fail";
    if (what === "change") world.network = NETWORKS[network]!;
    if (what === "refresh") world.put({ type: "refresh" });
    else if (what === "die") {
      world.put({ type: "monitor-ended", reason: "died", final: false });
    } else world.hint();
  }
  world.failing = false;
  // Longer than the longest wait for another try of the monitor.
  world.runTo(world.nowMs + 70_000);
  return world;
}

Deno.test("whatever happens, the last network is the one that is known", () => {
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 30 }), (deeds) => {
      const world = play(deeds);
      assertEquals(diffSnapshots(world.state.snapshot!, world.network), []);
      assertEquals(world.state.degraded, {
        ...("monitor" in world.state.degraded && { monitor: undefined }),
        ...("read" in world.state.degraded && { read: undefined }),
      });
    }),
    { numRuns: 300 },
  );
});

Deno.test("changes chain, and each burst of them is settled once", () => {
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 30 }), (deeds) => {
      const { events } = play(deeds);
      let gateway: string | undefined;
      let open = 0;
      for (const event of events) {
        if (event.type === "gateway-changed") {
          if (gateway !== undefined) {
            assertEquals(event.before?.gateway, gateway);
          }
          gateway = event.after?.gateway;
        }
        if (event.type === "settled") {
          assertEquals(event.changes, open);
          assert(open > 0, "settled without a change");
          // The limit, and the reading that was under way when it came.
          assert(event.durationMs <= 2_000 + 400);
          open = 0;
        } else if (event.type !== "degraded" && event.type !== "recovered") {
          open++;
        }
      }
      assertEquals(open, 0, "a burst was never settled");
    }),
    { numRuns: 300 },
  );
});

Deno.test("degraded and recovered take turns", () => {
  fc.assert(
    fc.property(fc.array(deed, { maxLength: 30 }), (deeds) => {
      for (const what of ["monitor", "read"]) {
        const turns = play(deeds).events
          .filter((event) => "what" in event && event.what === what)
          .map(({ type }) => type);
        turns.forEach((type, i) =>
          assertEquals(type, i % 2 === 0 ? "degraded" : "recovered")
        );
      }
    }),
    { numRuns: 200 },
  );
});
