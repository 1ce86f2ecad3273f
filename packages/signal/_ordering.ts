/** How many messages of one sender wait for one that is missing. */
export const REORDER_MAX = 256;
/** How many bytes they may have. */
export const REORDER_BYTES_MAX: number = 1024 * 1024;

/**
 * Puts the ordered messages of one sender's epoch into order. Bounded: what has
 * no room is refused, and comes again.
 */
export class Reorder {
  readonly #waiting: Map<number, Uint8Array> = new Map();
  #bytes = 0;
  #next = 1;
  #floor = 1;

  /** The place that is delivered next. */
  get next(): number {
    return this.#next;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Takes one; `false` when there is no room for it. */
  take(place: number, floor: number, bytes: Uint8Array): boolean {
    this.raise(floor);
    // What was delivered or given up is as good as taken.
    if (place < this.#next || this.#waiting.has(place)) return true;
    const fits = place === this.#next ||
      this.#waiting.size < REORDER_MAX &&
        this.#bytes + bytes.length <= REORDER_BYTES_MAX;
    if (!fits) return false;
    this.#waiting.set(place, bytes);
    this.#bytes += bytes.length;
    return true;
  }

  /** Below this place nothing comes any more: what is missing there is left out. */
  raise(floor: number): void {
    this.#floor = Math.max(this.#floor, floor);
    this.#skip();
  }

  /** Hands over what is in order, until there is no more room for it. */
  drain(offer: (bytes: Uint8Array) => boolean): void {
    for (;;) {
      const bytes = this.#waiting.get(this.#next);
      if (bytes === undefined || !offer(bytes)) return;
      this.#waiting.delete(this.#next);
      this.#bytes -= bytes.length;
      this.#next++;
      this.#skip();
    }
  }

  #skip(): void {
    if (this.#waiting.size === 0) {
      this.#next = Math.max(this.#next, this.#floor);
    }
    while (this.#next < this.#floor && !this.#waiting.has(this.#next)) {
      this.#next++;
    }
  }
}
