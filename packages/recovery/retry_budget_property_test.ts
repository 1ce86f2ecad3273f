import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { retryBudget } from "./retry_budget.ts";

Deno.test("no window of time holds more retries than the burst plus the rate", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 20 }),
    fc.integer({ min: 0, max: 50 }),
    fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 }),
    (capacity, perSecond, gaps) => {
      const budget = retryBudget({ capacity, perSecond });
      let now = 0;
      const taken: number[] = [];
      for (const gap of gaps) {
        now += gap;
        if (budget.take(now)) taken.push(now);
      }
      for (let i = 0; i < taken.length; i++) {
        for (let j = i; j < taken.length; j++) {
          const most = capacity + (taken[j]! - taken[i]!) * perSecond / 1000;
          assert(j - i + 1 <= most + 1e-6);
        }
      }
    },
  ));
});

Deno.test("waitMs is when take succeeds, and not sooner", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 10 }),
    fc.integer({ min: 1, max: 20 }),
    fc.nat(10_000),
    (capacity, perSecond, start) => {
      const budget = retryBudget({ capacity, perSecond });
      while (budget.take(start));
      const wait = budget.waitMs(start);
      assert(wait > 0 && Number.isFinite(wait));
      assertEquals(budget.take(start + wait * 0.9), false);
      assert(budget.take(start + wait + 1e-3));
    },
  ));
});

Deno.test("a clock that runs back neither earns nor loses tokens", () => {
  const budget = retryBudget({ capacity: 1, perSecond: 1 });
  assert(budget.take(5000));
  assertEquals(budget.take(0), false);
  assertEquals(budget.take(5000), false);
  assertEquals(budget.available(5500), 0.5);
  assert(budget.take(6000));
});

Deno.test("what can never be had waits for ever, and bad numbers fail", () => {
  assertEquals(retryBudget({ capacity: 1 }).waitMs(0, 2), Infinity);
  const dry = retryBudget({ capacity: 1, perSecond: 0 });
  assert(dry.take(0));
  assertEquals(dry.waitMs(1e9), Infinity);
  assertThrows(() => retryBudget({ capacity: 0 }), RangeError, "capacity");
  assertThrows(() => retryBudget({ perSecond: -1 }), RangeError, "perSecond");
  assertThrows(() => dry.take(NaN), RangeError, "NaN");
  assertThrows(() => dry.take(0, -1), RangeError, "cost");
});
