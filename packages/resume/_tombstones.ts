/**
 * Sessions that ended here a short while ago, so that a client that comes back
 * for the last acknowledgement is told, with proof, how far this end received.
 */
import type { SessionSecret } from "./_keys.ts";

interface Tombstone {
  readonly secrets: readonly SessionSecret[];
  readonly received: number | "denied";
  readonly until: number;
}

/** Bounded in number and time; time is passed in. */
export class Tombstones {
  readonly #limit: number;
  readonly #ttlMs: number;
  readonly #stones = new Map<string, Tombstone>();

  constructor(limit: number, ttlMs: number) {
    this.#limit = limit;
    this.#ttlMs = ttlMs;
  }

  get size(): number {
    return this.#stones.size;
  }

  bury(
    sid: string,
    secrets: readonly SessionSecret[],
    received: number | "denied",
    now: number,
  ): void {
    for (const [old, stone] of this.#stones) {
      // In the order of burial, so the first one that may stay ends the sweep.
      if (stone.until > now && this.#stones.size < this.#limit) break;
      this.#stones.delete(old);
    }
    this.#stones.set(sid, { secrets, received, until: now + this.#ttlMs });
  }

  find(sid: string, now: number): Tombstone | undefined {
    const stone = this.#stones.get(sid);
    return stone !== undefined && stone.until > now ? stone : undefined;
  }

  /** Whoever comes back for it is told no more than that it is not allowed. */
  deny(sid: string): void {
    const stone = this.#stones.get(sid);
    if (stone === undefined) return;
    this.#stones.set(sid, { ...stone, received: "denied" });
  }

  clear(): void {
    this.#stones.clear();
  }
}
