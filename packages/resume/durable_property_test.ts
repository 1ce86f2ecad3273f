/**
 * A server that is killed at any moment, and goes on from what its store has:
 * over real cores, with the store as a record of what was committed.
 */
import { runs } from "@holdfast/testkit";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { FIRST_CUT } from "./_core_state.ts";
import { StreamCore } from "./_stream_core.ts";
import { storedState } from "./_stored_state.ts";
import type { StreamCut, WrittenFrames } from "./store.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The byte that the client writes at an offset, and what is answered to it. */
const asked = (offset: number): number => (offset * 31 + (offset >>> 8)) & 0xff;
const answer = (byte: number): number => (byte * 7 + 3) & 0xff;

interface Sizes {
  readonly sendMax: number;
  readonly window: number;
}

/** What a store has of one session. */
interface Stored {
  cut: StreamCut;
  output: WrittenFrames[];
  /** What the program has read and not answered yet. */
  state: Bytes;
}

/**
 * A program that answers each byte, in its own time. Its state is what it has
 * read and not yet answered: lost or used twice, it shows.
 */
class Server {
  readonly options: Sizes & { heartbeatMs: number; durable: boolean };
  core: StreamCore;
  owed: Bytes = new Uint8Array(0);
  readonly store: Stored = {
    cut: FIRST_CUT,
    output: [],
    state: new Uint8Array(0),
  };
  #commit: { readonly stored: Stored; readonly acked: number } | undefined;
  readonly #sloppy: boolean;

  constructor(sizes: Sizes, sloppy: boolean) {
    this.options = { ...sizes, heartbeatMs: 2_000, durable: true };
    this.core = new StreamCore(this.options);
    this.#sloppy = sloppy;
  }

  work(n: number): void {
    if (this.owed.length === 0) {
      const into = new Uint8Array(n);
      const got = this.core.read(into);
      if (got === null) return this.core.closeWrite();
      this.owed = into.slice(0, got).map(answer);
    }
    const taken = this.core.write(this.owed.subarray(0, n));
    this.owed = this.owed.slice(taken);
  }

  /** Asks the store to record where the program stands, all in one step. */
  commit(): void {
    if (this.#commit !== undefined || !this.core.unsafe) return;
    const cut = this.core.cut();
    const output = this.core.unsafeFrames(cut).map((one) => ({ ...one }));
    const stored = { cut, output, state: this.owed.slice() };
    this.#commit = { stored, acked: this.core.acked };
  }

  /** The store has it. It reads the frames only now. */
  committed(): void {
    if (this.#commit === undefined) return;
    const { stored: { cut, output, state }, acked } = this.#commit;
    this.#commit = undefined;
    this.store.cut = cut;
    this.store.state = state;
    for (const { from, to, frames } of output) {
      this.store.output.push({ from, to, frames: frames.slice() });
    }
    this.store.output = this.store.output.filter(({ to }) => to > acked);
    this.core.safe(cut);
  }

  /** Killed, and started again. */
  crash(): void {
    this.#commit = undefined;
    const state = storedState(this.store);
    this.core = new StreamCore(this.options, state);
    // A sloppy program keeps its state elsewhere, at another moment.
    this.owed = this.#sloppy ? new Uint8Array(0) : this.store.state.slice();
  }
}

class World {
  readonly client: StreamCore;
  readonly server: Server;
  readonly wires: [Bytes[], Bytes[]] = [[], []];
  read = 0;
  eof = false;
  now = 0;

  constructor(client: Sizes, server: Sizes, sloppy: boolean) {
    this.client = new StreamCore({ ...client, heartbeatMs: 2_000 });
    this.server = new Server(server, sloppy);
    this.connect();
  }

  connect(): void {
    const [a, b] = [this.client, this.server.core];
    const [at, bt] = [a.position, b.position];
    a.attach(bt, at, this.now);
    b.attach(at, bt, this.now);
  }

  cut(): void {
    this.wires[0] = [];
    this.wires[1] = [];
    for (const core of [this.client, this.server.core]) core.detach();
  }

  write(n: number): void {
    const from = this.client.written;
    this.client.write(
      Uint8Array.from({ length: n }, (_, i) => asked(from + i)),
    );
  }

  consume(n: number): void {
    const into = new Uint8Array(n);
    const got = this.client.read(into);
    if (got === null) return void (this.eof = true);
    for (let i = 0; i < got; i++) {
      if (into[i] !== answer(asked(this.read + i))) {
        throw new Error(`I19: a wrong answer at ${this.read + i}`);
      }
    }
    this.read += got;
    assert(this.read <= this.client.written, "I19: answered too often");
  }

  pump(): void {
    for (const [i, core] of [this.client, this.server.core].entries()) {
      for (let bytes; (bytes = core.output(this.now)) !== undefined;) {
        this.wires[i]!.push(bytes.slice());
      }
    }
  }

  deliver(side: 0 | 1, n: number): void {
    const to = side === 0 ? this.server.core : this.client;
    for (const bytes of this.wires[side].splice(0, n)) {
      to.receive({ bytes, references: 0 }, bytes.length, this.now);
    }
  }

  crash(): void {
    // What the client was sent must be what a new server goes on from.
    assert(
      this.client.arrived <= this.server.store.cut.written,
      "I19: sent what the store does not have",
    );
    this.cut();
    this.server.crash();
    assert(
      this.client.acked <= this.server.store.cut.consumed,
      "I19: acknowledged what the store does not have",
    );
    this.connect();
  }

  /** Nothing fails from now on: every byte is answered, once. */
  settle(): void {
    this.client.closeWrite();
    for (let i = 0; i < 4_000 && !this.eof; i++) {
      this.now += 30;
      this.server.work(1 << 16);
      this.server.commit();
      this.server.committed();
      this.pump();
      for (const side of [0, 1] as const) this.deliver(side, Infinity);
      this.consume(1 << 16);
    }
    assert(this.eof, `I12: no end, ${this.read} of ${this.client.written}`);
    assertEquals(this.read, this.client.written);
  }
}

const n = fc.oneof(
  fc.integer({ min: 1, max: 20 }),
  fc.integer({ min: 1, max: 5_000 }),
);
/** A step with the name that a counterexample shows. */
type Act = readonly [name: string, run: (world: World) => void];

const STEPS: readonly Act[] = [
  ["commit", (w) => w.server.commit()],
  ["committed", (w) => w.server.committed()],
  ["pump", (w) => w.pump()],
  ["crash", (w) => w.crash()],
  ["cut", (w) => (w.cut(), w.connect())],
  ["30 ms", (w) => void (w.now += 30)],
];
const act: fc.Arbitrary<Act> = fc.oneof(
  n.map((n): Act => [`write ${n}`, (w) => w.write(n)]),
  n.map((n): Act => [`work ${n}`, (w) => w.server.work(n)]),
  n.map((n): Act => [`read ${n}`, (w) => w.consume(n)]),
  fc.constantFrom(...STEPS),
  fc.constantFrom(...STEPS),
  fc.tuple(fc.constantFrom<0 | 1>(0, 1), fc.integer({ min: 1, max: 4 })).map((
    [side, n],
  ): Act => [`deliver ${side} ${n}`, (w) => w.deliver(side, n)]),
);

function property(sloppy: boolean) {
  const size = fc.integer({ min: 1, max: 9_000 });
  const sizes = fc.record({ sendMax: size, window: size });
  return fc.property(
    sizes,
    sizes,
    fc.array(act, { maxLength: 80, size: "max" }),
    (client, server, acts) => {
      // Tiny ones take a round trip a byte.
      const least = (one: Sizes) => ({
        sendMax: Math.max(100, one.sendMax),
        window: Math.max(100, one.window),
      });
      const world = new World(least(client), least(server), sloppy);
      for (const [, run] of acts) run(world);
      world.settle();
    },
  );
}

Deno.test("a server that is killed at any moment answers each byte once (I19)", () => {
  fc.assert(property(false), { numRuns: runs(500, 50_000) });
});

Deno.test("a program whose state is not kept with its position is found out", () => {
  assertThrows(() => fc.assert(property(true), { numRuns: 2_000, seed: 3 }));
});
