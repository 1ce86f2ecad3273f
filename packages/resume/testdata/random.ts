/** Randomness that can be run again. */

/** Numbers from 0 to 1 that follow from a seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** One of them. */
  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)]!;
  }

  /** That many bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length }, () => this.int(0, 255));
  }
}

/**
 * Runs a test with a seed: that of `HOLDFAST_SEED`, or a new one. A failure
 * tells how to run it again.
 */
export async function seeded(
  file: string,
  run: (seed: number) => Promise<void>,
): Promise<void> {
  const given = Number(Deno.env.get("HOLDFAST_SEED"));
  const seed = given > 0 ? given : 1 + Math.floor(Math.random() * 2 ** 31);
  try {
    await run(seed);
  } catch (cause) {
    throw new Error(
      `replay: HOLDFAST_SEED=${seed} deno task test ${file}: ${cause}`,
      { cause },
    );
  }
}
