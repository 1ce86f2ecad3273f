/** How many ordered messages are under way to one peer at once. */
export const ORDERED_MAX = 64;
/** How many bytes they have, unless one alone has more. */
export const ORDERED_BYTES_MAX: number = 512 * 1024;
/** How many of them go in pieces. */
export const ORDERED_LARGE_MAX = 4;

interface Waiting {
  readonly bytes: number;
  readonly large: boolean;
  readonly enter: () => void;
}

/**
 * Lets ordered messages go, first come, first served, and no more at once than
 * their recipient has room for. Without it later ones could take the room that
 * the one has to have for which they wait: then nothing would ever move.
 */
export class OrderedGate {
  readonly #waiting: Waiting[] = [];
  #under = 0;
  #large = 0;
  #bytes = 0;

  /** Whether nobody is in it, or waits. */
  get isIdle(): boolean {
    return this.#under === 0 && this.#waiting.length === 0;
  }

  /** Calls `enter` when it is the turn of a message; gives how to take it back. */
  queue(bytes: number, large: boolean, enter: () => void): () => void {
    const waiting: Waiting = { bytes, large, enter };
    this.#waiting.push(waiting);
    this.#admit();
    return () => {
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
      this.#admit();
    };
  }

  /** One that entered has been acknowledged, or given up. */
  leave(bytes: number, large: boolean): void {
    this.#under--;
    this.#bytes -= bytes;
    if (large) this.#large--;
    this.#admit();
  }

  #admit(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || !this.#hasRoom(next)) return;
      this.#waiting.shift();
      this.#under++;
      this.#bytes += next.bytes;
      if (next.large) this.#large++;
      next.enter();
    }
  }

  #hasRoom({ bytes, large }: Waiting): boolean {
    if (this.#under === 0) return true;
    return this.#under < ORDERED_MAX &&
      this.#bytes + bytes <= ORDERED_BYTES_MAX &&
      !(large && this.#large >= ORDERED_LARGE_MAX);
  }
}
