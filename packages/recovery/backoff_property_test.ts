import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { backoff } from "./backoff.ts";

const unit = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

const shapes = fc.record({
  firstMs: fc.double({ min: 0, max: 1e4, noNaN: true }),
  spareMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  factor: fc.double({ min: 1, max: 1e3, noNaN: true }),
  floor: fc.double({ min: 0, max: 1, noNaN: true }),
}).map(({ firstMs, spareMs, factor, floor }) => ({
  firstMs,
  maxMs: firstMs + spareMs,
  factor,
  minMs: Math.min(firstMs, firstMs * floor),
}));

Deno.test("a wait is finite and lies between the floor and the cap", () => {
  fc.assert(
    fc.property(shapes, unit, fc.nat(1_000_000), (shape, random, attempt) => {
      const wait = backoff({ ...shape, random: () => random })(attempt);
      assert(Number.isFinite(wait));
      assert(wait >= shape.minMs && wait <= shape.maxMs, `${wait}`);
    }),
  );
});

Deno.test("the longest wait never shrinks from one attempt to the next", () => {
  fc.assert(
    fc.property(shapes, fc.nat(1_000_000), (shape, attempt) => {
      const longest = backoff({ ...shape, random: () => 1 - 2 ** -53 });
      assert(longest(attempt + 1) >= longest(attempt));
    }),
  );
});

Deno.test("jitter comes after the cap: late waits stay spread over all of it", () => {
  const random = [0, 0.25, 0.5, 0.75];
  const wait = backoff({ maxMs: 1000, random: () => random.shift()! });
  const late = [50, 51, 52, 53].map(wait);
  assertEquals(late, [0, 250, 500, 750]);
});

Deno.test("the default random number makes different waits", () => {
  const wait = backoff();
  const waits = new Set(Array.from({ length: 20 }, () => wait(8)));
  assert(waits.size > 10);
});

Deno.test("a bad option fails by name and value", () => {
  for (
    const [options, message] of [
      [{ firstMs: -1 }, "firstMs"],
      [{ firstMs: NaN }, "NaN"],
      [{ firstMs: 10, maxMs: 9 }, "maxMs"],
      [{ maxMs: Infinity }, "maxMs"],
      [{ factor: 0.5 }, "factor"],
      [{ firstMs: 10, minMs: 11 }, "minMs"],
    ] as const
  ) {
    assertThrows(() => backoff(options), RangeError, message);
  }
  for (const attempt of [-1, 0.5, NaN, Infinity]) {
    assertThrows(() => backoff()(attempt), RangeError, `${attempt}`);
  }
});
