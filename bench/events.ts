// deno-lint-ignore-file no-console -- a command-line program
/**
 * What one `emit` costs: ours beside a bare array of callbacks, `node:events`
 * and `EventTarget`, with 1 and with 10 listeners.
 *
 *     deno run bench/events.ts
 *
 * Needs no permission. Prints a table, then one JSON line; docs/benchmarks.md
 * says what each key means.
 *
 * What keeps it honest:
 *
 * - Every side sends a new object of one shape for each event, as its users
 *   would; for `EventTarget` that is the `detail` of a new `CustomEvent`.
 * - Each side has several sources, used in turn, and every listener is compiled
 *   on its own. So the place that calls listeners sees many different ones, as
 *   in a program where all sources share one emitter class. With a single
 *   listener V8 would inline it, and most of all into the bare array: the
 *   reference would be an empty loop.
 * - Listeners add up what they get, and the sums are checked at the end: no
 *   delivery can be optimised away or left out.
 * - Each side has its own tight loop, so that no harness call is counted into
 *   both halves of a ratio. What remains, the loop and the new object, is shown
 *   as `payload`.
 * - All sides run in each round, in an order that rotates, so that a noisy
 *   neighbour or a garbage collection hits all. Medians are compared.
 * - All of it is repeated with listeners compiled anew. Where their code happens
 *   to lie decides whether the processor foresees the calls, which doubles the
 *   cost on one side or another; many draws even that out.
 *
 * @module
 */
import { Emitter } from "@holdfast/events/emitter";
import { EventEmitter } from "node:events";

/** How many sources each side has; a power of two. */
const SOURCES = 8;
const EMITS_A_ROUND = 40_000;
const GENERATIONS = 15;
const ROUNDS = 7;
const ROUNDS_WARM_UP = 4;

interface Tick {
  readonly type: "tick";
  readonly count: number;
  readonly reason: string;
}

function tick(count: number): Tick {
  return { type: "tick", count, reason: "bench" };
}

/** The reference: what a program does that has no emitter at all. */
class CallbackArray {
  readonly #listeners: ((event: Tick) => void)[] = [];
  add(listener: (event: Tick) => void): void {
    this.#listeners.push(listener);
  }
  emit(event: Tick): void {
    const listeners = this.#listeners;
    for (let i = 0; i < listeners.length; i++) listeners[i]!(event);
  }
}

/**
 * Where the listeners of one side add up what they get, in 32 bits: past them
 * V8 would make a new number object for each sum, on some sides sooner than on
 * others.
 */
interface Sum {
  total: number;
}

let compiled = 0;

/** A listener that shares its code with no other: its source is unique. */
function compile<A>(sum: Sum, read: string): (argument: A) => void {
  return new Function(
    "sum",
    `return function listener${compiled++}(event) {
      sum.total = (sum.total + event.${read}) | 0;
    }`,
  )(sum);
}

/** Sends this many events, spread over the sources of the side. */
type Round = (emits: number) => void;

function many<T>(make: () => T): T[] {
  return Array.from({ length: SOURCES }, make);
}

const SIDES: Record<string, (listeners: number, sum: Sum) => Round> = {
  ours(listeners, sum) {
    const sources = many(() => {
      const emitter = new Emitter<Tick>();
      for (let i = 0; i < listeners; i++) {
        emitter.on("tick", compile<Tick>(sum, "count"));
      }
      return emitter;
    });
    return (emits) => {
      for (let i = 0; i < emits; i++) sources[i % SOURCES]!.emit(tick(i));
    };
  },
  callback(listeners, sum) {
    const sources = many(() => {
      const array = new CallbackArray();
      for (let i = 0; i < listeners; i++) {
        array.add(compile<Tick>(sum, "count"));
      }
      return array;
    });
    return (emits) => {
      for (let i = 0; i < emits; i++) sources[i % SOURCES]!.emit(tick(i));
    };
  },
  node(listeners, sum) {
    const sources = many(() => {
      const emitter = new EventEmitter();
      for (let i = 0; i < listeners; i++) {
        emitter.on("tick", compile<Tick>(sum, "count"));
      }
      return emitter;
    });
    return (emits) => {
      for (let i = 0; i < emits; i++) {
        sources[i % SOURCES]!.emit("tick", tick(i));
      }
    };
  },
  eventtarget(listeners, sum) {
    const sources = many(() => {
      const target = new EventTarget();
      for (let i = 0; i < listeners; i++) {
        // `object`: the type Event has another meaning once npm types are loaded.
        target.addEventListener("tick", compile<object>(sum, "detail.count"));
      }
      return target;
    });
    return (emits) => {
      for (let i = 0; i < emits; i++) {
        sources[i % SOURCES]!.dispatchEvent(
          new CustomEvent("tick", { detail: tick(i) }),
        );
      }
    };
  },
  payload(listeners, sum) {
    // The loop and the new object alone; the array keeps the object from being
    // optimised away.
    const sources = many(() => [tick(0)]);
    return (emits) => {
      for (let i = 0; i < emits; i++) sources[i % SOURCES]![0] = tick(i);
      sum.total = (sum.total + listeners * emits * (emits - 1) / 2) | 0;
    };
  },
};

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** Runs all sides with listeners compiled anew; adds nanoseconds an emit. */
function measureOnce(listeners: number, times: Map<string, number[]>): void {
  const runs = Object.entries(SIDES).map(([name, make]) => {
    const sum: Sum = { total: 0 };
    return { name, sum, round: make(listeners, sum) };
  });
  for (let n = 0; n < ROUNDS_WARM_UP + ROUNDS; n++) {
    for (let i = 0; i < runs.length; i++) {
      const { name, round } = runs[(n + i) % runs.length]!;
      const start = performance.now();
      round(EMITS_A_ROUND);
      const ns = (performance.now() - start) * 1e6 / EMITS_A_ROUND;
      if (n < ROUNDS_WARM_UP) continue;
      times.set(name, [...times.get(name) ?? [], ns]);
    }
  }
  const totals = new Set(runs.map(({ sum }) => sum.total));
  if (totals.size !== 1) {
    throw new Error("Cannot compare: the sides delivered different events");
  }
}

/** Median nanoseconds an emit, by side. */
function measure(listeners: number): Record<string, number> {
  const times = new Map<string, number[]>();
  for (let n = 0; n < GENERATIONS; n++) measureOnce(listeners, times);
  return Object.fromEntries(
    [...times].map(([name, values]) => [name, median(values)]),
  );
}

/** Two digits after the point are more than the machine can tell apart. */
function round2(value: number): number {
  return Math.round(value * 100) / 100;
}

if (import.meta.main) {
  const counts = [1, 10] as const;
  const ratios: Record<string, number> = {};
  const figures: Record<string, number> = {};
  const peers: Record<string, number> = {};
  console.log("median nanoseconds an emit");
  for (const count of counts) {
    const ns = measure(count);
    for (const [name, value] of Object.entries(ns)) {
      const own = name === "ours" || name === "payload";
      (own ? figures : peers)[`${name}_${count}_ns`] = round2(value);
    }
    // One listener is the plain case: its keys carry no number.
    const emit = count === 1 ? "emit" : `emit_${count}`;
    const { ours, payload: _, ...references } = ns;
    for (const [name, value] of Object.entries(references)) {
      ratios[`${emit}_vs_${name}`] = round2(ours! / value);
    }
    const columns = Object.entries(ns)
      .map(([name, value]) => `${name} ${value.toFixed(1).padStart(6)}`);
    console.log(`listeners: ${count}`.padEnd(15) + columns.join("  "));
  }
  console.log(JSON.stringify({ bench: "events", ratios, figures, peers }));
}
