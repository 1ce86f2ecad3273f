import { checkNumber } from "./_options.ts";
import { classify } from "./classify.ts";
import { RecoveryError } from "./errors.ts";

/** How a breaker stands. */
export type BreakerStatus = "closed" | "open" | "half-open";

/** Options for {@linkcode circuitBreaker}. */
export interface CircuitBreakerOptions {
  /**
   * How many failures in a row open it.
   *
   * @default {5}
   */
  readonly failures?: number | undefined;
  /**
   * How long it stays open before one call is let through, in milliseconds; and
   * how long that one keeps the others away, if it does not end.
   *
   * @default {10_000}
   */
  readonly openMs?: number | undefined;
  /**
   * Which errors count. The default counts all but what {@linkcode classify}
   * finds to be a bug, a missing permission or the like, and cancellations.
   */
  readonly counts?: ((error: unknown) => boolean) | undefined;
  /** The clock, in milliseconds; for tests. */
  readonly now?: (() => number) | undefined;
}

/** Keeps calls away from what fails every time. */
export interface CircuitBreaker {
  /** How it stands now. */
  readonly status: BreakerStatus;
  /**
   * Calls the function, unless the breaker is open.
   *
   * @throws {RecoveryError} `recovery/open-circuit`, at once and without
   * calling, with the last error as `cause`.
   */
  run<T>(fn: () => Promise<T>): Promise<T>;
  /** For news that it may work again: the next call is let through. */
  halfOpen(): void;
}

/**
 * A circuit breaker (Nygard, Release It!, 2007): after some failures in a row
 * calls fail at once, so that a service that is down is not kept down by its
 * clients, and its clients do not wait for it. After a while one call is let
 * through: its success closes the breaker, its failure opens it for as long
 * again. What comes of calls that began before it opened changes nothing.
 *
 * ```ts
 * import { circuitBreaker, RecoveryError } from "@holdfast/recovery";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const breaker = circuitBreaker({ failures: 2, openMs: 1_000 });
 * const call = () => breaker.run(() => Deno.connect({ hostname: "127.0.0.1", port: 1 }));
 * await assertRejects(call, Deno.errors.ConnectionRefused);
 * await assertRejects(call, Deno.errors.ConnectionRefused);
 * assertEquals(breaker.status, "open");
 * await assertRejects(call, RecoveryError); // Nothing was dialled.
 * ```
 *
 * @throws {RangeError} When a number is out of bounds.
 */
export function circuitBreaker(
  options: CircuitBreakerOptions = {},
): CircuitBreaker {
  const { failures = 5, openMs = 10_000 } = options;
  const what = "make a circuit breaker";
  checkNumber(what, "failures", failures, 1, 1_000_000);
  checkNumber(what, "openMs", openMs, 1, 2 ** 31 - 1);
  return new Breaker({
    ...{ failures, openMs },
    counts: options.counts ?? countsAsFailure,
    now: options.now ?? (() => performance.now()),
  });
}

function countsAsFailure(error: unknown): boolean {
  const { action, failure } = classify(error);
  if (action === "bug") return false;
  if (action !== "give-up") return true;
  // What nobody has heard of is the service's; a cancellation is nobody's.
  return failure === undefined &&
    !(error instanceof Error && error.name === "AbortError");
}

interface Rules {
  readonly failures: number;
  readonly openMs: number;
  readonly counts: (error: unknown) => boolean;
  readonly now: () => number;
}

class Breaker implements CircuitBreaker {
  readonly #rules: Rules;
  #failed = 0;
  #openedAt = -Infinity;
  #tryingSince = -Infinity;
  /** Grows when it opens or closes: what began before counts no more. */
  #era = 0;
  #last: unknown;

  constructor(rules: Rules) {
    this.#rules = rules;
  }

  get status(): BreakerStatus {
    const { failures, openMs, now } = this.#rules;
    if (this.#failed < failures) return "closed";
    return now() - this.#openedAt < openMs ? "open" : "half-open";
  }

  async run<T>(fn: () => Promise<T>): Promise<T> {
    const { status } = this;
    const { now, openMs } = this.#rules;
    // One at a time is let through to try, unless it never ends.
    const trying = now() - this.#tryingSince < openMs;
    if (status === "open" || status === "half-open" && trying) {
      throw new RecoveryError(
        "recovery/open-circuit",
        `Cannot call: it failed ${this.#failed} times in a row: wait for it to be tried again`,
        { cause: this.#last },
      );
    }
    const era = this.#era;
    const tries = status === "half-open";
    if (tries) this.#tryingSince = now();
    try {
      const result = await fn();
      if (era === this.#era) this.#works();
      return result;
    } catch (error) {
      if (era === this.#era && this.#rules.counts(error)) this.#fails(error);
      throw error;
    } finally {
      if (tries && era === this.#era) this.#tryingSince = -Infinity;
    }
  }

  #works(): void {
    if (this.#failed >= this.#rules.failures) this.#turn();
    this.#failed = 0;
  }

  #fails(error: unknown): void {
    this.#failed++;
    this.#last = error;
    if (this.#failed < this.#rules.failures) return;
    this.#openedAt = this.#rules.now();
    this.#turn();
  }

  #turn(): void {
    this.#era++;
    this.#tryingSince = -Infinity;
  }

  halfOpen(): void {
    this.#openedAt = -Infinity;
  }
}
