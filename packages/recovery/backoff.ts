/**
 * How long to wait before trying again, and nothing else: for pages and small
 * programs, which need not load the rest of the package for it.
 *
 * ```ts
 * import { backoff } from "@holdfast/recovery/backoff";
 * import { assert } from "@std/assert";
 *
 * const waitMs = backoff({ firstMs: 50, maxMs: 5_000 });
 * for (const attempt of [0, 1, 2]) assert(waitMs(attempt) <= 50 * 2 ** attempt);
 * ```
 *
 * @module
 */
import { checkNumber } from "./_options.ts";

/** Options for {@linkcode backoff}. */
export interface BackoffOptions {
  /**
   * The longest wait before the first retry, in milliseconds.
   *
   * @default {128}
   */
  readonly firstMs?: number | undefined;
  /**
   * The longest wait before any retry, in milliseconds.
   *
   * @default {30_000}
   */
  readonly maxMs?: number | undefined;
  /**
   * By how much the longest wait grows from one attempt to the next.
   *
   * @default {2}
   */
  readonly factor?: number | undefined;
  /**
   * The shortest wait, in milliseconds: keeps an unlucky row of small random
   * numbers from turning into a busy loop. At most `firstMs`.
   *
   * @default {0}
   */
  readonly minMs?: number | undefined;
  /**
   * Which share of the cap is waited for certain, from 0 to 1; the rest is
   * jitter. A third keeps a herd off a server that has just come back.
   *
   * @default {0}
   */
  readonly floor?: number | undefined;
  /**
   * Numbers from 0 (included) to 1 (excluded). A test passes its own.
   *
   * @default {Math.random}
   */
  readonly random?: (() => number) | undefined;
}

/**
 * For many clients of one server: 1000 of them come back to a server that was
 * down for 5 s and takes 100 a second with fewer than 4 attempts each, all within
 * 1.3 times the time that the server needs.
 */
export const OUTAGE_BACKOFF: BackoffOptions = Object.freeze({
  firstMs: 1_000,
  factor: 3,
  maxMs: 8_000,
  floor: 0.33,
});

/**
 * How long to wait before each retry: exponential, capped, then fully
 * jittered, so that the waits lie evenly between `minMs` and the cap.
 *
 * The cap comes first and the jitter after it. The other way round, clients
 * that wait long all wait exactly `maxMs`, and come back as one herd.
 *
 * Pure but for `random`: it holds no count, so reset it by passing 0 again.
 * Do that on proof of service (an answer), not when a connection opens: the
 * kernel accepts connections for a frozen program too.
 *
 * ```ts
 * import { backoff } from "@holdfast/recovery";
 * import { assertEquals } from "@std/assert";
 *
 * const waitMs = backoff({ firstMs: 100, maxMs: 1000, random: () => 0.5 });
 * assertEquals([0, 1, 2, 3, 4, 1e6].map(waitMs), [50, 100, 200, 400, 500, 500]);
 * ```
 *
 * @returns The wait in milliseconds before retry number `attempt`, from 0.
 * @throws {RangeError} When an option is out of bounds, or later when
 * `attempt` is not an integer of at least 0.
 * @see {@link https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ | Exponential Backoff And Jitter}
 */
export function backoff(
  options: BackoffOptions = {},
): (attempt: number) => number {
  const {
    firstMs = 128,
    maxMs = 30_000,
    factor = 2,
    minMs = 0,
    floor = 0,
    random = Math.random,
  } = options;
  const action = "make a backoff";
  checkNumber(action, "firstMs", firstMs, 0);
  checkNumber(action, "maxMs", maxMs, firstMs);
  checkNumber(action, "factor", factor, 1);
  checkNumber(action, "minMs", minMs, 0, firstMs);
  checkNumber(action, "floor", floor, 0, 1);
  return (attempt) => {
    if (!Number.isInteger(attempt) || attempt < 0) {
      throw new RangeError(
        `Cannot compute a wait: attempt must be an integer of at least 0: current value is ${attempt}`,
      );
    }
    // The power may overflow to Infinity, which the cap takes back; but zero
    // times Infinity would be NaN.
    const cap = firstMs === 0
      ? 0
      : Math.min(maxMs, firstMs * factor ** attempt);
    // Rounding may otherwise end a hair above the cap.
    const least = Math.max(minMs, floor * cap);
    return Math.min(cap, least + random() * (cap - least));
  };
}
