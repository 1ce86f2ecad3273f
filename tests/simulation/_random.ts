/** Random numbers from a seed: the same ones on every machine. */

/** The generator of G. Marsaglia's "Xorshift RNGs" (2003), 32 bits. */
export class Random {
  #state: number;

  /** Any safe integer; neighbours give unlike rows. */
  constructor(seed: number) {
    const mixed = Math.imul(seed ^ Math.floor(seed / 2 ** 32), 0x9e3779b1) ^
      0x6d2b79f5;
    this.#state = mixed === 0 ? 1 : mixed;
    for (let i = 0; i < 4; i++) this.next();
  }

  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  /** A whole number from 0 to `n` - 1. */
  below(n: number): number {
    return this.next() % n;
  }

  /** A whole number from `min` to `max`. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  /** True once in `n` times. */
  once(n: number): boolean {
    return this.below(n) === 0;
  }
}
