import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type RaceAction,
  type RaceConfig,
  type RaceState,
  startRace,
  stepRace,
} from "./_race.ts";

const configs = fc.record({
  candidates: fc.integer({ min: 1, max: 5 }),
  staggerMs: fc.integer({ min: 0, max: 300 }),
  attemptMs: fc.integer({ min: 1, max: 1000 }),
  deadlineAt: fc.integer({ min: 1, max: 5000 }),
});

/** What becomes of an attempt: after `inMs`, opened, retried or hopeless. */
const fates = fc.infiniteStream(fc.record({
  inMs: fc.integer({ min: 0, max: 1500 }),
  end: fc.constantFrom("opened", "retry", "retry", "retry", "hopeless"),
  retryInMs: fc.integer({ min: 0, max: 800 }),
}));

interface Log {
  readonly at: number;
  readonly action: RaceAction;
}

/** Runs a race to its end in made-up time, checking each step. */
function run(config: RaceConfig, fate: Iterator<Fate>) {
  let now = 0;
  let state: RaceState = startRace(config, now);
  let wakeAt: number | undefined = now;
  const due: { at: number; attempt: number; fate: Fate }[] = [];
  const log: Log[] = [];
  const open = new Set<number>();

  const feed = (input: Parameters<typeof stepRace>[1]): void => {
    const step = stepRace(state, input, now);
    state = step.state;
    wakeAt = step.wakeAt;
    assertEquals(wakeAt === undefined, state.outcome.type !== "running");
    const expired: number[] = [];
    for (const action of step.actions) {
      log.push({ at: now, action });
      if (action.type === "connect") {
        open.add(action.attempt);
        const next = fate.next().value as Fate;
        due.push({ at: now + next.inMs, attempt: action.attempt, fate: next });
      } else {
        assert(open.delete(action.attempt), "ends what runs, and once");
        if (action.type === "expire") expired.push(action.attempt);
      }
    }
    for (const attempt of expired) {
      feed({ type: "failed", attempt, retryInMs: 10 });
    }
  };

  for (let steps = 0; wakeAt !== undefined; steps++) {
    assert(steps < 100_000, "it ends");
    due.sort((a, b) => a.at - b.at);
    if (due[0] !== undefined && due[0].at <= wakeAt) {
      const { at, attempt, fate } = due.shift()!;
      now = at;
      if (!open.has(attempt)) continue; // Expired: the shell closes it.
      open.delete(attempt);
      if (fate.end === "opened") feed({ type: "opened", attempt });
      else {
        const retryInMs = fate.end === "retry" ? fate.retryInMs : undefined;
        feed({ type: "failed", attempt, retryInMs });
      }
    } else {
      assert(wakeAt >= now, "it does not wake in the past");
      now = wakeAt;
      feed({ type: "wake" });
    }
  }
  return { now, state, log, open };
}

type Fate = {
  readonly inMs: number;
  readonly end: string;
  readonly retryInMs: number;
};

Deno.test("a race ends in time, and leaves no attempt behind", () => {
  fc.assert(fc.property(configs, fates, (config, fate) => {
    const { now, state, open } = run(config, fate);
    assert(now <= config.deadlineAt, `${now} is after the deadline`);
    if (state.outcome.type === "timed-out") {
      assertEquals(now, config.deadlineAt);
    }
    assertEquals([...open], []);
  }));
});

Deno.test("at most one attempt of a candidate at a time, numbered in order", () => {
  fc.assert(fc.property(configs, fates, (config, fate) => {
    const numbers = new Map<number, number>();
    const ids = new Set<number>();
    for (const { action } of run(config, fate).log) {
      if (action.type !== "connect") continue;
      assertEquals(action.number, numbers.get(action.candidate) ?? 0);
      numbers.set(action.candidate, action.number + 1);
      assert(!ids.has(action.attempt));
      ids.add(action.attempt);
    }
    // Candidates are started in order.
    assertEquals(
      [...numbers.keys()],
      Array.from({ length: numbers.size }, (_, i) => i),
    );
  }));
});

Deno.test("a silent first candidate costs the others the stagger, no more", () => {
  fc.assert(fc.property(configs, (config) => {
    const silent = { inMs: 1e9, end: "retry", retryInMs: 0 };
    const patient = { ...config, attemptMs: 1e6 };
    const { log } = run(
      patient,
      (function* () {
        while (true) yield silent;
      })(),
    );
    for (const { at, action } of log) {
      if (action.type === "connect") {
        assertEquals(at, action.candidate * config.staggerMs);
      }
    }
  }));
});

Deno.test("a first candidate that fails at once costs the next one nothing", () => {
  fc.assert(fc.property(configs, (config) => {
    const refused = { inMs: 0, end: "hopeless", retryInMs: 0 };
    const { now, state, log } = run(
      config,
      (function* () {
        while (true) yield refused;
      })(),
    );
    assertEquals(state.outcome.type, "given-up");
    assertEquals(now, 0);
    assertEquals(log.length, config.candidates);
  }));
});

Deno.test("what comes after the end changes nothing", () => {
  fc.assert(fc.property(configs, fates, (config, fate) => {
    const { now, state } = run(config, fate);
    for (
      const input of [
        { type: "wake" },
        { type: "opened", attempt: 0 },
        { type: "failed", attempt: 0, retryInMs: 0 },
      ] as const
    ) {
      const step = stepRace(state, input, now + 1);
      assertEquals(step, { state, actions: [], wakeAt: undefined });
    }
  }));
});
