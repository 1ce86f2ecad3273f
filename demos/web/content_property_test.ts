import { assert, assertEquals } from "@std/assert";
import { runs } from "@holdfast/testkit";
import fc from "fast-check";
import { Checker, fill, NOTHING } from "./content.ts";

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const positions = fc.oneof(
  fc.nat(10_000),
  // Around the end of a period, where the numbers of the words begin again.
  fc.integer({ min: 2 ** 34 - 5_000, max: 2 ** 34 + 5_000 }),
);

function stream(seed: number, from: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  fill(bytes, seed, from);
  return bytes;
}

function feedIn(checker: Checker, bytes: Uint8Array, sizes: number[]): void {
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    checker.feed(bytes.subarray(at, at + size));
    at += size;
  }
}

const pieces = fc.array(fc.integer({ min: 1, max: 200 }), {
  minLength: 1,
  maxLength: 8,
});

Deno.test("a whole stream has nothing lost, doubled or corrupt, however it is cut up", () => {
  fc.assert(
    fc.property(
      seeds,
      positions,
      fc.nat(3_000),
      pieces,
      (seed, from, length, sizes) => {
        const checker = new Checker(seed, { ...NOTHING, received: from });
        feedIn(checker, stream(seed, from, length), sizes);
        assertEquals(checker.tally, { ...NOTHING, received: from + length });
      },
    ),
    { numRuns: runs(300) },
  );
});

Deno.test("gaps and repeats are counted to the byte, wherever they are", () => {
  // Parts, each after a jump forward or back from where the one before ended.
  const parts = fc.array(
    fc.record({
      jump: fc.integer({ min: -500, max: 100_000 }),
      length: fc.integer({ min: 32, max: 500 }),
    }),
    { minLength: 1, maxLength: 12 },
  );
  fc.assert(
    fc.property(seeds, positions, parts, pieces, (seed, from, list, sizes) => {
      const checker = new Checker(seed, { ...NOTHING, received: from });
      let at = from;
      let [lost, doubled, received] = [0, 0, from];
      for (const { jump, length } of list) {
        const next = Math.max(0, at + jump);
        lost += Math.max(0, next - at);
        doubled += Math.max(0, at - next);
        feedIn(checker, stream(seed, next, length), sizes);
        received += length;
        at = next + length;
      }
      assertEquals(checker.tally, { received, lost, doubled, corrupt: 0 });
    }),
    { numRuns: runs(300) },
  );
});

Deno.test("a wrong byte is seen, and what follows is placed again", () => {
  fc.assert(
    fc.property(
      seeds,
      positions,
      fc.nat(400),
      fc.integer({ min: 1, max: 255 }),
      pieces,
      (seed, from, at, flip, sizes) => {
        const bytes = stream(seed, from, 500);
        bytes[at]! ^= flip;
        const checker = new Checker(seed, { ...NOTHING, received: from });
        feedIn(checker, bytes, sizes);
        const { received, lost, doubled, corrupt } = checker.tally;
        assert(corrupt >= 1, `${corrupt}`);
        assertEquals([lost, doubled], [0, 0]);
        assertEquals(received, from + 500);
      },
    ),
    { numRuns: runs(300) },
  );
});

Deno.test("a reader goes on with what another one found", () => {
  const first = new Checker(7, NOTHING);
  first.feed(stream(7, 0, 100));
  first.feed(stream(7, 150, 100));
  const second = new Checker(7, first.tally);
  second.feed(stream(7, 250, 50));
  assertEquals(second.tally, { ...NOTHING, received: 250, lost: 50 });
  // Bytes whose place is not known are nobody's: they are read again.
  const third = new Checker(7, NOTHING);
  third.feed(new Uint8Array([9, 9, 9]));
  assertEquals(third.tally, NOTHING);
});
