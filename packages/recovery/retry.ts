import { checkNumber } from "./_options.ts";
import { pauseUntil } from "./_pause.ts";
import { backoff, type BackoffOptions } from "./backoff.ts";
import type { CircuitBreaker } from "./circuit_breaker.ts";
import { classify } from "./classify.ts";
import { RecoveryError } from "./errors.ts";
import type { NetworkPause } from "./paused_while.ts";
import type { RetryBudget } from "./retry_budget.ts";
import type { Verdict } from "./verdict.ts";

/** What an attempt is given. */
export interface RetryContext {
  /** How many attempts there were before. */
  readonly attempt: number;
  /** Aborted when the whole is: by the caller, or by the deadline. */
  readonly signal: AbortSignal;
}

/** Options for {@linkcode retry}. */
export interface RetryOptions extends BackoffOptions {
  /**
   * How long all attempts together may take, in milliseconds.
   *
   * @default {30_000}
   */
  readonly deadlineMs?: number | undefined;
  /**
   * How many attempts are made at the most.
   *
   * @default {Infinity}
   */
  readonly attempts?: number | undefined;
  /** Retries are taken from it; without tokens there is none. */
  readonly budget?: RetryBudget | undefined;
  /** What each attempt goes through. */
  readonly breaker?: CircuitBreaker | undefined;
  /** Waits between attempts that follow the network. */
  readonly pause?: NetworkPause | undefined;
  /** Hears of each failure, and how long it waits now; `undefined`: no more. */
  readonly onFailure?:
    | ((verdict: Verdict, retryInMs: number | undefined) => void)
    | undefined;
  /** Ends it at once, also while it waits. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Does something until it works, as {@linkcode classify} judges its failures:
 * at once after a first cut connection, and with backoff else; with a `pause` also
 * as soon as the network has changed, and not while it is down. What cannot help
 * is not tried again. Only for what may be done twice.
 *
 * ```ts
 * import { retry } from "@holdfast/recovery";
 * import { assertEquals } from "@std/assert";
 *
 * let calls = 0;
 * const value = await retry(() => {
 *   calls++;
 *   if (calls === 1) throw Object.assign(new Error("cut"), { code: "ECONNRESET" });
 *   return "fine";
 * });
 * assertEquals([value, calls], ["fine", 2]);
 * ```
 *
 * @throws {RecoveryError} `recovery/gave-up` when trying again cannot help, or
 * attempts or budget are used up, with the last error as `cause`.
 * @throws {DOMException} A `TimeoutError` at the deadline, with the last error
 * as `cause`.
 * @throws The reason of the signal.
 */
export async function retry<T>(
  run: (context: RetryContext) => T | Promise<T>,
  options: RetryOptions = {},
): Promise<T> {
  const { deadlineMs = 30_000, attempts = Infinity, budget } = options;
  checkNumber("retry", "deadlineMs", deadlineMs, 1, 2 ** 31 - 1);
  checkNumber("retry", "attempts", attempts, 1, Infinity);
  const waitMs = backoff(options);
  const { signal } = options;
  signal?.throwIfAborted();
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), deadlineMs);
  const ends = AbortSignal.any(
    signal ? [signal, limit.signal] : [limit.signal],
  );
  let last: unknown;
  try {
    for (let attempt = 0;; attempt++) {
      try {
        return await within(run, attempt, ends, options.breaker);
      } catch (error) {
        signal?.throwIfAborted();
        if (!limit.signal.aborted) last = error;
      }
      if (limit.signal.aborted) throw timedOut(deadlineMs, last);
      const verdict = classify(last);
      const hopeless = verdict.action === "give-up" || verdict.action === "bug";
      const again = !hopeless && attempt + 1 < attempts &&
        (budget === undefined || budget.take(performance.now()));
      const inMs = !again
        ? undefined
        : verdict.action === "retry-now" && attempt === 0
        ? 0
        : waitMs(attempt);
      options.onFailure?.(verdict, inMs);
      if (inMs === undefined) {
        throw new RecoveryError(
          "recovery/gave-up",
          `Gave up after ${
            attempt + 1
          } of ${attempts} attempts: ${verdict.why}`,
          { cause: last },
        );
      }
      if (options.pause === undefined) await pauseUntil(inMs, ends);
      else await options.pause.wait(inMs, { signal: ends }).catch(() => {});
      signal?.throwIfAborted();
      if (limit.signal.aborted) throw timedOut(deadlineMs, last);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** One attempt, which the end of all does not wait for. */
async function within<T>(
  run: (context: RetryContext) => T | Promise<T>,
  attempt: number,
  signal: AbortSignal,
  breaker: CircuitBreaker | undefined,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    const call = async (): Promise<T> => await run({ attempt, signal });
    return await Promise.race([breaker ? breaker.run(call) : call(), promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function timedOut(deadlineMs: number, cause: unknown): DOMException {
  const error = new DOMException(
    `No attempt succeeded in ${deadlineMs} ms`,
    "TimeoutError",
  );
  // A DOMException takes no cause of its own accord.
  Object.defineProperty(error, "cause", { value: cause, configurable: true });
  return error;
}
