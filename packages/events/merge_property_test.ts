import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { runs } from "@holdfast/testkit";
import { merge } from "./mod.ts";
import { Emitter, relay } from "./emitter.ts";
import { countedSignal } from "./testdata/counted_signal.ts";

type Sent = {
  readonly type: "a" | "b";
  readonly source: number;
  readonly n: number;
};

const SOURCES = 4;
const source = fc.nat(SOURCES - 1);

/** What is done from outside, one after the other. */
const operation = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constant("emit" as const),
      source,
      type: fc.constantFrom("a" as const, "b" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("end" as const), source }),
  },
);

/** To whom each merged event is answered, by turns; most are not. */
const answers = fc.array(fc.option(source, { freq: 1, nil: undefined }), {
  minLength: 1,
});

Deno.test("property: merge gives each event of each source once, in the order of delivery, until it ends", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { maxLength: 60 }),
      answers,
      fc.record({
        at: fc.nat(60),
        how: fc.constantFrom("dispose", "abort"),
      }),
      async (operations, answers, end) => {
        let n = 0;
        const delivered: Sent[] = [];
        const sources = Array.from({ length: SOURCES }, () => {
          const emitter = new Emitter<Sent>();
          emitter.on("*", (event) => delivered.push(event));
          return emitter;
        });
        const counted = countedSignal();
        const merged = merge(sources, { signal: counted.signal });
        const stream = merged.events({ limit: 10_000 });
        const first: Sent[] = [];
        const second: Sent[] = [];
        let answered = 0;
        merged.on("*", (event) => {
          first.push(event);
          const to = answers[answered % answers.length];
          if (answered++ < 40 && to !== undefined) {
            sources[to]!.emit({ type: "a", source: to, n: n++ });
          }
        });
        merged.on("*", (event) => second.push(event));

        let expected: Sent[] | undefined;
        operations.forEach((operation, i) => {
          if (i === end.at) {
            if (end.how === "abort") counted.abort();
            else merged[Symbol.dispose]();
            expected = [...delivered];
          }
          const { source } = operation;
          if (operation.do === "end") sources[source]![Symbol.dispose]();
          else sources[source]!.emit({ type: operation.type, source, n: n++ });
        });
        expected ??= [...delivered];
        merged[Symbol.dispose]();

        assertEquals(first, expected);
        assertEquals(second, expected);
        assertEquals(await Array.fromAsync(stream), expected);
        assertEquals(counted.held, 0);
        for (const one of sources) {
          one[Symbol.dispose]();
          assertEquals(one.hasListeners("a"), false);
        }
      },
    ),
    { numRuns: runs(300) },
  );
});

Deno.test("property: a chain of relays is map and filter over the events, until one ends", () => {
  const stage = fc.record({
    add: fc.integer({ min: -5, max: 5 }),
    // Passes on nothing where it divides.
    holdBack: fc.integer({ min: 2, max: 9 }),
    endsAt: fc.option(fc.nat(40), { freq: 4, nil: undefined }),
    how: fc.constantFrom("dispose", "abort", "source"),
  });
  fc.assert(
    fc.property(
      fc.array(stage, { maxLength: 4 }),
      fc.array(fc.integer(), { maxLength: 40 }),
      (stages, numbers) => {
        type Number = { readonly type: "number"; readonly n: number };
        const emitters = [new Emitter<Number>()];
        const ends = stages.map(({ add, holdBack, how }) => {
          const from = emitters.at(-1)!;
          const to = new Emitter<Number>();
          emitters.push(to);
          const counted = countedSignal();
          const own = relay(from, to, {
            signal: counted.signal,
            map: ({ n }) =>
              n % holdBack === 0 ? undefined : { type: "number", n: n + add },
          });
          return () => {
            if (how === "dispose") own[Symbol.dispose]();
            else if (how === "abort") counted.abort();
            else from[Symbol.dispose]();
            assertEquals(counted.held, 0);
          };
        });
        const got: number[] = [];
        emitters.at(-1)!.on("number", ({ n }) => got.push(n));
        const expected: number[] = [];
        numbers.forEach((number, i) => {
          stages.forEach(({ endsAt }, stage) => {
            if (endsAt === i) ends[stage]!();
          });
          emitters[0]!.emit({ type: "number", n: number });
          let n: number | undefined = number;
          for (const { add, holdBack, endsAt } of stages) {
            if (endsAt !== undefined && endsAt <= i) n = undefined;
            if (n !== undefined) n = n % holdBack === 0 ? undefined : n + add;
          }
          if (n !== undefined) expected.push(n);
        });
        assertEquals(got, expected);
      },
    ),
    { numRuns: runs(500) },
  );
});
