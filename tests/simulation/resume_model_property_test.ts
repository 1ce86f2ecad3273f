/**
 * Sessions against a model: fast-check makes sequences of what programs and
 * networks do, runs them on the real stream core, and makes a failing one as
 * short as it can. The model knows what each program did, and nothing of
 * transports: what it says must hold whatever happens to them.
 */
import { assertThrows } from "@std/assert";
import { runs } from "@holdfast/testkit";
import fc from "fast-check";
import { conclude, outcome } from "./_conclude.ts";
import { type CoreOptions, type Link, type Pair, world } from "./_world.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

type Side = 0 | 1;

/** What one program did, as anybody would count it. */
interface Program {
  /** Bytes that `write` took. */
  written: number;
  /** Bytes that `read` gave. */
  read: number;
  ended: boolean;
  closed: boolean;
}

type Model = readonly [Program, Program];
type Step = fc.Command<{ readonly ends: Model }, Pair>;

const nobody = (): Program => ({
  written: 0,
  read: 0,
  ended: false,
  closed: false,
});

/** The model and the session say the same of what a program can see. */
function compare(model: Model, pair: Pair): void {
  for (const side of [0, 1] as const) {
    const [own, peer] = [model[side], model[(1 - side) as Side]];
    const end = pair.ends[side];
    const { acked, written, arrived } = end.core;
    world.hold(written === own.written, `I3: wrote ${written}`);
    world.hold(end.read === own.read, `I2: read ${end.read}`);
    world.hold(own.read <= peer.written, "I1: read what nobody wrote");
    world.hold(acked <= own.written, "I3: acknowledged what nobody wrote");
    world.hold(arrived <= peer.written, "I3: arrived from nowhere");
    world.hold(!end.eof || peer.ended, "I14: an end that nobody wrote");
    world.hold(!end.eof || own.read === peer.written, "I14: an early end");
  }
  pair.check();
}

/** A step that always may happen; its text is what a counterexample shows. */
function step(
  text: string,
  run: (pair: Pair, model: Model) => void,
  may: (model: Model) => boolean = () => true,
): Step {
  return {
    check: ({ ends }) => may(ends),
    run({ ends }, pair) {
      run(pair, ends);
      compare(ends, pair);
    },
    toString: () => text,
  };
}

const side = fc.constantFrom<Side>(0, 1);
const amount = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 1, max: 30_000 }),
);
/** Which of the transports there are, from the newest one. */
const which = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.nat(4) },
);

function linkOf(pair: Pair, which: number): Link | undefined {
  return pair.links.at(-1 - which % Math.max(1, pair.links.length));
}

const write = fc.tuple(side, amount).map(([side, n]) =>
  step(
    `write ${side} ${n}`,
    (pair, model) => {
      pair.write(side, n);
      model[side].written = pair.ends[side].core.written;
    },
    (model) => !model[side].ended,
  )
);

const read = fc.tuple(side, amount).map(([side, n]) =>
  step(
    `read ${side} ${n}`,
    (pair, model) => {
      const before = pair.ends[side].read;
      pair.read(side, n);
      const got = pair.ends[side].read - before;
      world.hold(got <= n, `read ${got} of ${n}`);
      model[side].read += got;
    },
    (model) => !model[side].closed,
  )
);

const deliver = fc.record({
  side,
  which,
  count: fc.integer({ min: 1, max: 4 }),
  tear: fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max: 30 })),
}).map(({ side, which, count, tear }) =>
  step(`deliver from ${side}, ${count} x ${tear}, link -${which}`, (pair) => {
    const link = linkOf(pair, which);
    for (let i = 0; link !== undefined && i < count; i++) {
      pair.deliver(link, side, tear);
    }
  })
);

const cut = fc.record({
  which,
  keep: fc.tuple(fc.nat(2_000), fc.nat(2_000)),
  told: fc.nat(3),
}).map(({ which, keep, told }) =>
  step(`cut link -${which}, keeps ${keep}, told ${told}`, (pair) => {
    const link = linkOf(pair, which);
    if (link !== undefined) pair.cut(link, keep, told);
  })
);

const closeWrite = side.map((side) =>
  step(`end ${side}`, (pair, model) => {
    // A session that is over takes no end either.
    if (pair.ends[side].over === undefined) model[side].ended = true;
    pair.closeWrite(side);
  }, (model) => !model[side].ended)
);

const close = side.map((side) =>
  step(`close ${side}`, (pair, model) => {
    pair.close(side);
    model[side].ended = model[side].closed = true;
    // What it had not read is nobody's any more.
    model[side].read = pair.ends[side].read;
  }, (model) => !model[side].closed)
);

const network: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom(
    step("dial", (pair) => pair.dial()),
    step("give up the dial", (pair) => pair.abandon()),
    step("go offline", (pair) => void (pair.offline = true)),
    step("go online", (pair) => void (pair.offline = false)),
  ),
  side.map((side) =>
    step(`a hint at ${side}`, (pair) => pair.fence(side, true))
  ),
  fc.integer({ min: 1, max: 8_000 }).map((ms) =>
    step(`${ms} ms pass`, (pair) => pair.advance(ms))
  ),
  fc.constantFrom(2 * MINUTE_MS, 8 * HOUR_MS).map((ms) =>
    step(`sleep ${ms} ms`, (pair) => pair.advance(ms))
  ),
  fc.tuple(side, fc.constantFrom(5_000, HOUR_MS)).map(([side, ms]) =>
    step(`the clock of ${side} jumps ${ms} ms`, (pair) => pair.jump(side, ms))
  ),
  fc.tuple(side, fc.integer({ min: -HOUR_MS, max: HOUR_MS })).map((
    [side, clock],
  ) =>
    step(`${side} moves to another process`, (pair, model) => {
      // The program of the next one begins where this one stood.
      if (!model[side].closed) pair.move(side, clock);
    })
  ),
);

// Tiny ones with each other: a window of one byte takes a round trip a byte.
const ends = fc.constantFrom([1, 8], [100, 3_000], [3_000, 20_000]).chain(
  ([min, max]) => {
    const size = fc.integer({ min: min!, max: max! });
    const end: fc.Arbitrary<CoreOptions> = fc.record({
      sendMax: size,
      window: size,
      heartbeatMs: fc.constant(2_000),
    });
    return fc.tuple(end, end);
  },
);

function property(broken: Partial<CoreOptions>) {
  return fc.property(
    fc.record({
      ends,
      ttlMs: fc.constantFrom(MINUTE_MS, 24 * HOUR_MS),
      socketBytes: fc.constantFrom(50, 100_000),
      early: fc.boolean(),
    }),
    fc.commands(
      [write, write, read, deliver, deliver, cut, closeWrite, close, network],
      { size: "+1" },
    ),
    (setup, commands) => {
      const [a, b] = setup.ends;
      const ends = [{ ...a, ...broken }, { ...b, ...broken }] as const;
      const pair = new world.Pair({ ...setup, ends });
      const model: Model = [nobody(), nobody()];
      fc.modelRun(() => ({ model: { ends: model }, real: pair }), commands);
      conclude(pair);
      const early = model.some(({ closed }) => closed);
      if (early || outcome(pair) !== "closed/closed") return;
      for (const side of [0, 1] as const) {
        const { read } = pair.ends[side];
        const { written } = pair.ends[1 - side]!.core;
        world.hold(read === written, `I12: ${side} read ${read} of ${written}`);
      }
    },
  );
}

Deno.test("a session does what its model says, whatever its transports do (I1, I2, I3, I4, I6, I12, I13, I14, I15, I16, I17)", () => {
  fc.assert(property({}), { numRuns: runs(2_000) });
});

Deno.test("without replay the same model is contradicted, in a few steps", () => {
  const error = assertThrows(() =>
    fc.assert(property({ skipReplay: true }), { numRuns: 2_000, seed: 1 })
  ) as Error;
  const shown = /Counterexample: \[.*?,([^\n]*)\]/.exec(error.message)?.[1];
  const steps = shown?.split(/,(?=\w)/).length ?? Infinity;
  if (steps > 30) throw new Error(`not made short: ${shown}`);
});
