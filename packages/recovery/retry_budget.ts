import { checkNumber } from "./_options.ts";

/** Options for {@linkcode retryBudget}. */
export interface RetryBudgetOptions {
  /**
   * How many retries may be saved up: the longest burst.
   *
   * @default {10}
   */
  readonly capacity?: number | undefined;
  /**
   * How many retries come back each second.
   *
   * @default {1}
   */
  readonly perSecond?: number | undefined;
}

/** A limit on retries over time, shared by all who may retry. */
export interface RetryBudget {
  /**
   * Takes `cost` tokens when there are as many. Without them it takes nothing
   * and answers `false`: do not retry now.
   *
   * @param nowMs The time in milliseconds of any clock that never runs back,
   * such as `performance.now()`. An earlier time than before counts as no time
   * passed.
   * @param cost How many tokens; 1 where it is left out.
   */
  take(nowMs: number, cost?: number): boolean;
  /** How many tokens there are. */
  available(nowMs: number): number;
  /** After how many milliseconds `take` can succeed; Infinity if it never can. */
  waitMs(nowMs: number, cost?: number): number;
}

/**
 * A token bucket against retry storms: backoff spreads the retries of one
 * connection, a budget limits the sum of a program's.
 *
 * Pure: the time is passed in. It starts full.
 *
 * ```ts
 * import { retryBudget } from "@holdfast/recovery";
 * import { assertEquals } from "@std/assert";
 *
 * const budget = retryBudget({ capacity: 2, perSecond: 1 });
 * assertEquals([0, 0, 0].map((now) => budget.take(now)), [true, true, false]);
 * assertEquals(budget.waitMs(250), 750);
 * assertEquals(budget.take(1000), true);
 * ```
 *
 * @throws {RangeError} When an option is out of bounds, or later when the time
 * or the cost is.
 * @see {@link https://sre.google/sre-book/handling-overload/ | Handling Overload}
 */
export function retryBudget(options: RetryBudgetOptions = {}): RetryBudget {
  const { capacity = 10, perSecond = 1 } = options;
  checkNumber("make a retry budget", "capacity", capacity, 1);
  checkNumber("make a retry budget", "perSecond", perSecond, 0);
  let tokens = capacity;
  let filledAtMs = -Infinity;

  const fill = (nowMs: number): void => {
    checkNumber("use a retry budget", "nowMs", nowMs, -Number.MAX_VALUE);
    if (nowMs <= filledAtMs) return;
    // The first call has no past: the budget is full then anyway.
    if (filledAtMs !== -Infinity) {
      const earned = (nowMs - filledAtMs) * perSecond / 1000;
      tokens = Math.min(capacity, tokens + earned);
    }
    filledAtMs = nowMs;
  };
  const lacking = (nowMs: number, cost: number): number => {
    checkNumber("use a retry budget", "cost", cost, 0);
    fill(nowMs);
    return cost - tokens;
  };

  return {
    take(nowMs, cost = 1) {
      if (lacking(nowMs, cost) > 0) return false;
      tokens -= cost;
      return true;
    },
    available(nowMs) {
      fill(nowMs);
      return tokens;
    },
    waitMs(nowMs, cost = 1) {
      const lack = lacking(nowMs, cost);
      if (lack <= 0) return 0;
      if (cost > capacity || perSecond === 0) return Infinity;
      return lack * 1000 / perSecond;
    },
  };
}
