/**
 * One try for a new transport. A dial on a path that is gone may hang for
 * minutes, until the system gives up: news that there may be another path end
 * it, as does a deadline.
 */
import { closeQuietly } from "./_pipe.ts";
import type { Transport } from "./transport.ts";

// News may come faster than any path can be made: each try gets so long all the
// same, and a later one more, or none would ever end well.
const PATIENCE_MS = 1_000;
const PATIENCE_MS_MAX = 8_000;

/** See the module's comment. */
export class RedialTry implements Disposable {
  readonly #ended = new AbortController();
  readonly #patientUntil: number;
  readonly #deadline: ReturnType<typeof setTimeout>;
  #impatience: ReturnType<typeof setTimeout> | undefined;
  #over = false;
  /** Aborts when its transport is no longer wanted. */
  readonly signal: AbortSignal;

  /** Begins the try with this number, from 1. */
  constructor(stopped: AbortSignal, attempt: number, dialTimeoutMs: number) {
    this.signal = AbortSignal.any([stopped, this.#ended.signal]);
    const patienceMs = Math.min(
      PATIENCE_MS * 2 ** (attempt - 1),
      PATIENCE_MS_MAX,
    );
    this.#patientUntil = performance.now() + patienceMs;
    this.#deadline = setTimeout(
      () => this.#end(`The dial took longer than ${dialTimeoutMs} ms`),
      dialTimeoutMs,
    );
  }

  /** Whether there was news since it began: the next try need not wait. */
  get outdated(): boolean {
    return this.#impatience !== undefined;
  }

  /** There is news: perhaps another path. Too late once it is over. */
  outdate(): void {
    if (this.#over) return;
    this.#impatience ??= setTimeout(
      () => this.#end("The network changed before there was a transport"),
      Math.max(0, this.#patientUntil - performance.now()),
    );
  }

  /** There is a transport; its handshake has a deadline of its own. */
  dialled(): void {
    clearTimeout(this.#deadline);
  }

  #end(why: string): void {
    this.#ended.abort(new DOMException(why, "TimeoutError"));
  }

  /** It is over. */
  [Symbol.dispose](): void {
    this.#over = true;
    clearTimeout(this.#deadline);
    clearTimeout(this.#impatience);
  }
}

/**
 * What a dial function gives, unless `signal` aborts before: also where the
 * function does not look at it. What it gives later is closed.
 */
export function dialOrAbort(
  dial: () => Promise<Transport>,
  signal: AbortSignal,
): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    const end = (): void => signal.removeEventListener("abort", onAbort);
    (async () => await dial())().then((transport) => {
      end();
      if (signal.aborted) closeQuietly(transport);
      else resolve(transport);
    }, (error) => {
      end();
      reject(error);
    });
  });
}
