import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { runs } from "@holdfast/testkit";
import { type Action, perform, type Side, TYPES } from "./testdata/actions.ts";
import { RealSide } from "./testdata/real_side.ts";
import { SlowModel } from "./testdata/slow_model.ts";

const SIGNALS = 3;

const which = fc.nat(7);
const heardType = fc.constantFrom("a" as const, "b" as const, "*" as const);
const signal = fc.option(fc.nat(SIGNALS - 1), { nil: undefined, freq: 2 });

/** Actions; those of listeners act in turn, to a small depth. */
const { action } = fc.letrec<{ action: Action; nested: Action }>((tie) => ({
  nested: fc.oneof(
    { maxDepth: 2, depthSize: "small" },
    { arbitrary: fc.constant<Action>({ do: "throw" }), weight: 4 },
    { arbitrary: fc.constant<Action>({ do: "dispose" }), weight: 1 },
    { arbitrary: tie("action"), weight: 30 },
  ),
  action: fc.oneof(
    { maxDepth: 2, depthSize: "small" },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant("emit" as const),
        type: fc.constantFrom(...TYPES),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("on" as const),
        type: heardType,
        signal,
        then: fc.array(tie("nested"), { maxLength: 4 }),
        calls: fc.integer({ min: 1, max: 3 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("off" as const), which }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("once" as const),
        type: heardType,
        signal,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("open" as const),
        limit: fc.integer({ min: 1, max: 4 }),
        signal,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("read" as const), which }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("close" as const), which }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("abort" as const),
        signal: fc.nat(SIGNALS - 1),
      }),
    },
  ),
}));

/** Also the end, seldom: after it there is little left to see. */
const topAction = fc.oneof(
  { arbitrary: action, weight: 40 },
  { arbitrary: fc.constant<Action>({ do: "dispose" }), weight: 1 },
);

/** Lets promises settle: a few turns are enough for what the sides chain. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await Promise.resolve();
}

function seen(side: Side): Record<string, unknown> {
  const { heard, errors, settled, reads, dropped, audible, held } = side;
  return { heard, errors, settled, reads, dropped, audible, held };
}

/** One step: both sides do the same, and then the same is seen of both. */
class Step implements fc.AsyncCommand<SlowModel, RealSide> {
  readonly #action: Action;
  constructor(action: Action) {
    this.#action = action;
  }
  check(): boolean {
    return true;
  }
  async run(model: SlowModel, real: RealSide): Promise<void> {
    perform(model, this.#action);
    perform(real, this.#action);
    await settle();
    assertEquals(seen(real), seen(model));
  }
  toString(): string {
    return JSON.stringify(this.#action);
  }
}

Deno.test("property: the emitter does what the contract says, in any order of actions", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.commands([topAction.map((action) => new Step(action))], {
        maxCommands: 40,
        size: "+1",
      }),
      fc.array(fc.array(action, { maxLength: 2 }), {
        minLength: SIGNALS,
        maxLength: SIGNALS,
      }),
      async (steps, onAbort) => {
        const real = new RealSide(onAbort);
        await fc.asyncModelRun(
          () => ({ model: new SlowModel(onAbort), real }),
          steps,
        );
        real.dispose();
        assertEquals(real.audible, TYPES.map(() => false));
        assertEquals(real.held, onAbort.map(() => 0));
      },
    ),
    { numRuns: runs(1500) },
  );
});
