import type { Lane } from "./_lanes.ts";
import type { Routes } from "./_routes.ts";

const EACH_MS = 1_000;

/** What it needs of its owner. */
export interface WideningOwner {
  /** These are the peer's: see to it that they are tried. */
  readonly use: (brokers: readonly string[]) => void;
  /** Sends what waits in the lane by this one, which is up. */
  readonly publishBy: (lane: Lane, broker: string) => void;
}

/**
 * Walks on along the list of a peer that does not answer: one more broker each
 * second, until it does or all are walked.
 */
export class Widening {
  readonly #routes: Routes;
  readonly #owner: WideningOwner;
  readonly #timers: Map<Lane, ReturnType<typeof setTimeout>> = new Map();

  constructor(routes: Routes, owner: WideningOwner) {
    this.#routes = routes;
    this.#owner = owner;
  }

  /** Something is sent in the lane. */
  begin(lane: Lane): void {
    if (this.#timers.has(lane)) return;
    const walked = this.#routes.walk(lane, performance.now());
    this.#owner.use(walked);
    if (walked.length < lane.ranked.length) this.#later(lane, walked.length);
  }

  /** Ends all of it. */
  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #later(lane: Lane, before: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(lane);
      const now = performance.now();
      if (lane.waitingSince > now) return;
      const walked = this.#routes.walk(lane, now);
      this.#owner.use(walked);
      for (const broker of walked.slice(before)) {
        // Those that are not up yet get it as they come up.
        if (this.#routes.isUp(broker)) this.#owner.publishBy(lane, broker);
      }
      if (walked.length < lane.ranked.length) this.#later(lane, walked.length);
    }, EACH_MS);
    this.#timers.set(lane, timer);
  }
}
