/**
 * The memory that all streams of one server share: what is written and not
 * acknowledged, and what arrived and was not read.
 */

/** See the module's comment. */
export class Budget {
  readonly max: number;
  readonly #waiting = new Set<() => void>();
  #used = 0;

  constructor(max: number) {
    this.max = max;
  }

  /** How many bytes are held. */
  get used(): number {
    return this.#used;
  }

  /** How many more bytes may be written; never below 0. */
  get left(): number {
    return Math.max(0, this.max - this.#used);
  }

  /** Whether more is held than there should be. */
  get exceeded(): boolean {
    return this.#used > this.max;
  }

  /** Counts bytes, which may be more than are left: credit was given for them. */
  add(bytes: number): void {
    this.#used += bytes;
  }

  /** Gives bytes back, and wakes who waits for some. */
  release(bytes: number): void {
    this.#used -= bytes;
    if (bytes === 0 || this.#waiting.size === 0 || this.left === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Calls once when bytes were given back; the same function is kept once. */
  onRoom(wake: () => void): void {
    this.#waiting.add(wake);
  }

  /** No longer calls it. */
  forget(wake: () => void): void {
    this.#waiting.delete(wake);
  }
}
