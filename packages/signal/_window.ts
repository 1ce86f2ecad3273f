/** How many sequence numbers below the highest one a window remembers. */
export const WINDOW_SIZE = 1024;

/** `"stale"`: below the window, so that nobody can say any more. */
export type WindowVerdict = "new" | "seen" | "stale";

/**
 * Which sequence numbers of one (sender, epoch) have arrived, as in RFC 6479:
 * a bitmap that slides with the highest one. It costs 128 bytes for ever, and
 * a late copy can never come back as new, as it can from a cache of ids that
 * is limited by time or count.
 */
export class ReplayWindow {
  readonly #bits: Uint32Array = new Uint32Array(WINDOW_SIZE / 32);
  #highest = -1;

  /** Says whether the number has arrived, and changes nothing. */
  check(sequence: number): WindowVerdict {
    if (sequence > this.#highest) return "new";
    if (sequence <= this.#highest - WINDOW_SIZE) return "stale";
    return (this.#bits[wordOf(sequence)]! & maskOf(sequence)) === 0
      ? "new"
      : "seen";
  }

  /**
   * Remembers a number. Only for what has been authenticated: whoever could
   * mark without the key could suppress honest messages.
   */
  mark(sequence: number): void {
    if (this.check(sequence) === "stale") return;
    if (sequence > this.#highest) {
      if (sequence - this.#highest >= WINDOW_SIZE) this.#bits.fill(0);
      else {
        for (let i = this.#highest + 1; i < sequence; i++) {
          this.#bits[wordOf(i)]! &= ~maskOf(i);
        }
      }
      this.#highest = sequence;
    }
    this.#bits[wordOf(sequence)]! |= maskOf(sequence);
  }
}

// Not by shifts: sequence numbers go past 32 bits.
function wordOf(sequence: number): number {
  return Math.floor((sequence % WINDOW_SIZE) / 32);
}

function maskOf(sequence: number): number {
  return 1 << (sequence % 32);
}
