import type { FailureId } from "./failure.ts";

/**
 * What to do about an error.
 *
 * - `retry-now`: it is over; connect again at once, with backoff after that.
 * - `wait`: time heals it (a service that starts, a queue that empties): try
 *   again with backoff.
 * - `retry-after-change`: it lasts until the network changes (a route, an
 *   address, a resolver): wait for that, or try again with long waits.
 * - `give-up`: trying again cannot help: cancelled, forbidden, not trusted.
 * - `bug`: the program is wrong.
 */
export type Action =
  | "retry-now"
  | "wait"
  | "retry-after-change"
  | "give-up"
  | "bug";

/** The judgement of {@linkcode classify} on an error. A plain object. */
export interface Verdict {
  /** What to do about it. */
  readonly action: Action;
  /** The entry of {@linkcode failures} that fits best; `undefined` for none. */
  readonly failure: FailureId | undefined;
  /** The code that decided, or the first one found, such as `ECONNREFUSED`. */
  readonly code: string | undefined;
  /** The reason in one sentence, upper-case start, no full stop. */
  readonly why: string;
}
