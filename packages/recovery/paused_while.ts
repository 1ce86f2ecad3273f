import { checkNumber } from "./_options.ts";
import { TIMER_MAX_MS } from "./_pause.ts";

/**
 * A source of news about the network. Any `Events` will do; a watch of
 * `@holdfast/netwatch` fits as it is, and its `state` says how it begins.
 */
export interface NetworkSource {
  /** See `Events.on`. */
  on(
    type: "*",
    listener: (event: { readonly type: string }) => void,
  ): Disposable;
  /** Whether there is a network now; `undefined` where it is not seen. */
  readonly state?: { readonly online?: boolean | undefined } | undefined;
}

/** Waits that end with the network's news. */
export interface NetworkPause extends Disposable {
  /** Whether the network is known to be down. */
  readonly paused: boolean;
  /**
   * Waits for so many milliseconds, but no longer than until the network is
   * another, and then for as long as it is known to be down. What to call
   * between two attempts.
   *
   * @param ms From 0; `Infinity` for as long as a timer can, about 24 days.
   * @throws {RangeError} When the time is none.
   * @throws The reason of the signal, at once.
   */
  wait(ms: number, options?: { readonly signal?: AbortSignal }): Promise<void>;
}

/** After which news it may work again. */
const BETTER: ReadonlySet<string> = new Set([
  "online",
  "gateway-changed",
  "default-interface-changed",
  "network-changed",
  "address-added",
  "address-changed",
  "interface-up",
  "carrier-gained",
  "path-changed",
  "path-restored",
  "woke",
]);

/**
 * Makes retries follow the network: nothing is tried while it is known to be
 * down, and nothing waits once it is back or is another.
 *
 * ```ts
 * import { Emitter } from "@holdfast/events/emitter";
 * import { pausedWhile } from "@holdfast/recovery";
 * import { assertEquals } from "@std/assert";
 *
 * // In a program: `await watchNetwork()` of `@holdfast/netwatch`.
 * using network = new Emitter<{ readonly type: "online" | "offline" }>();
 * using pause = pausedWhile(network);
 * network.emit({ type: "offline" });
 * assertEquals(pause.paused, true);
 * const waiting = pause.wait(60_000);
 * network.emit({ type: "online" });
 * await waiting; // At once, and not after a minute.
 * ```
 */
export function pausedWhile(network: NetworkSource): NetworkPause {
  return new Pause(network);
}

class Pause implements NetworkPause {
  readonly #subscription: Disposable;
  readonly #waiting: Set<() => void> = new Set();
  #paused: boolean;

  constructor(network: NetworkSource) {
    this.#paused = network.state?.online === false;
    this.#subscription = network.on("*", ({ type }) => {
      if (type === "offline") this.#paused = true;
      if (type === "online") this.#paused = false;
      if (!BETTER.has(type) || this.#paused) return;
      for (const end of [...this.#waiting]) end();
    });
  }

  get paused(): boolean {
    return this.#paused;
  }

  async wait(
    ms: number,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    checkNumber("wait", "ms", ms, 0, Infinity);
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const end = (): void => resolve();
    const onAbort = (): void => reject(signal!.reason);
    // Its time may be over while the network is down: then it waits for that.
    const timer = setTimeout(() => {
      if (!this.#paused) end();
    }, Math.min(TIMER_MAX_MS, ms));
    this.#waiting.add(end);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(end);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    // Nobody would end them any more.
    this.#paused = false;
    for (const end of [...this.#waiting]) end();
  }
}
