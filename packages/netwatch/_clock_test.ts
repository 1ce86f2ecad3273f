import { assertEquals } from "@std/assert";
import { runs } from "@holdfast/testkit";
import fc from "fast-check";
import {
  type ClockEvent,
  type ClockState,
  compareClocks,
  firstReading,
} from "./_clock.ts";

const POLL_MS = 1_000;

/** A host whose clocks go as they do; the uptime has a grain of a second. */
class Host {
  monotonicMs = 0;
  wallMs = 1_790_000_000_000;
  uptimeMs: number;
  readonly seesUptime: boolean;
  readonly events: ClockEvent[] = [];
  #state: ClockState | undefined;

  constructor(phaseMs = 0, seesUptime = true) {
    this.uptimeMs = 5_000_000 + phaseMs;
    this.seesUptime = seesUptime;
    this.look();
  }

  pass(ms: number): void {
    this.monotonicMs += ms;
    this.wallMs += ms;
    this.uptimeMs += ms;
  }

  sleep(ms: number): void {
    this.wallMs += ms;
    this.uptimeMs += ms;
  }

  look(): void {
    const { monotonicMs, wallMs } = this;
    const reading = {
      monotonicMs,
      wallMs,
      uptimeS: this.seesUptime ? Math.floor(this.uptimeMs / 1_000) : undefined,
    };
    if (this.#state === undefined) {
      return void (this.#state = firstReading(reading));
    }
    const { state, events } = compareClocks(this.#state, reading, POLL_MS);
    this.#state = state;
    this.events.push(...events);
  }

  /** Some ordinary seconds, each tick a little late. */
  run(seconds: number): void {
    for (let i = 0; i < seconds; i++) {
      this.pass(POLL_MS + (i * 37) % 90);
      this.look();
    }
  }

  types(): string[] {
    return this.events.map(({ type }) => type);
  }
}

Deno.test("a sleep of two seconds or more is told within a second or two of waking, once", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 999 }),
      fc.integer({ min: 2_100, max: 30_000_000 }),
      fc.integer({ min: 0, max: 999 }),
      (phaseMs, asleepMs, restMs) => {
        const host = new Host(phaseMs);
        host.run(40);
        assertEquals(host.types(), []);
        host.sleep(asleepMs);
        host.pass(restMs);
        host.look();
        host.run(2);
        assertEquals(host.types(), ["woke"]);
        const [event] = host.events;
        const error = (event as { asleepMs: number }).asleepMs - asleepMs;
        assertEquals(Math.abs(error) <= 1_100, true, `${error} ms off`);
        host.run(60);
        assertEquals(host.types(), ["woke"]);
      },
    ),
    { numRuns: runs(200) },
  );
});

Deno.test("an hour forward or back is a step of the clock, and nobody slept", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 999 }),
      fc.integer({ min: 2_600, max: 3_600_000 }),
      fc.boolean(),
      (phaseMs, byMs, back) => {
        const host = new Host(phaseMs);
        host.run(10);
        host.wallMs += back ? -byMs : byMs;
        host.run(10);
        assertEquals(host.events, [{
          type: "clock-step",
          reason: back ? "back" : "forward",
          stepMs: back ? -byMs : byMs,
        }]);
      },
    ),
    { numRuns: runs(200) },
  );
});

Deno.test("a program that stood still for 30 s stalled, and nobody slept", () => {
  const host = new Host(400);
  host.run(10);
  host.pass(30_000);
  host.look();
  host.run(10);
  assertEquals(host.types(), ["stalled"]);
});

Deno.test("small corrections of the clock, as by NTP, are nothing to tell", () => {
  const host = new Host();
  for (let i = 0; i < 100; i++) {
    host.wallMs += (i % 2 === 0 ? 1 : -1) * 400;
    host.run(1);
  }
  assertEquals(host.types(), []);
});

Deno.test("without the uptime a sleep is told for what it may be", () => {
  const host = new Host(0, false);
  host.run(5);
  host.sleep(60_000);
  host.run(5);
  assertEquals(host.events.map(({ type, reason }) => [type, reason]), [
    ["clock-step", "forward-or-sleep"],
  ]);
});
