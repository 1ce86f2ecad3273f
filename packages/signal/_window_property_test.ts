import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ReplayWindow, WINDOW_SIZE } from "./_window.ts";

/** The same thing as a set that forgets nothing. */
class Model {
  readonly seen = new Set<number>();
  highest = -1;
  check(sequence: number) {
    if (sequence <= this.highest - WINDOW_SIZE) return "stale";
    return this.seen.has(sequence) ? "seen" : "new";
  }
  mark(sequence: number) {
    if (this.check(sequence) === "stale") return;
    this.seen.add(sequence);
    this.highest = Math.max(this.highest, sequence);
  }
}

// Steps from the highest number: near it, at the edges of words and of the
// window, and far beyond; from a start that may lie past 32 bits.
const jump = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -70, max: 70 }) },
  fc.integer({ min: -WINDOW_SIZE - 3, max: WINDOW_SIZE + 3 }),
  fc.constantFrom(-WINDOW_SIZE, 1 - WINDOW_SIZE, WINDOW_SIZE, 1e6, 2 ** 33),
);
const start = fc.constantFrom(0, 1, 31, 1023, 2 ** 32 - 5, 2 ** 40 + 17);

Deno.test("ReplayWindow says what a set without limit would say", () => {
  fc.assert(
    fc.property(
      start,
      fc.array(fc.tuple(jump, fc.boolean()), { maxLength: 300 }),
      (first, jumps) => {
        const window = new ReplayWindow();
        const model = new Model();
        let highest = first;
        for (const [by, marks] of jumps) {
          const sequence = Math.max(0, highest + by);
          assertEquals(window.check(sequence), model.check(sequence));
          if (!marks) continue;
          window.mark(sequence);
          model.mark(sequence);
          highest = Math.max(highest, sequence);
          assertEquals(window.check(sequence), model.check(sequence));
        }
        for (let at = highest - WINDOW_SIZE - 2; at <= highest + 2; at++) {
          if (at >= 0) assertEquals(window.check(at), model.check(at));
        }
      },
    ),
  );
});

Deno.test("ReplayWindow never calls a number new twice", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 2000 }),
      (sequences) => {
        const window = new ReplayWindow();
        const accepted: number[] = [];
        for (const sequence of sequences) {
          if (window.check(sequence) !== "new") continue;
          window.mark(sequence);
          accepted.push(sequence);
        }
        assertEquals(accepted.length, new Set(accepted).size);
      },
    ),
  );
});
