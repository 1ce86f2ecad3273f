import type { Bytes } from "./_bytes.ts";

/** How many sequence numbers below the highest one a window remembers. */
export const WINDOW_SIZE = 1024;
/** What a window is as bytes: the highest number, then the bitmap. */
export const WINDOW_BYTES: number = 8 + WINDOW_SIZE / 8;

/** `"stale"`: below the window, so that nobody can say any more. */
export type WindowVerdict = "new" | "seen" | "stale";

/**
 * Which sequence numbers of one (sender, epoch) have arrived, as in RFC 6479:
 * a bitmap that slides with the highest one. It costs 128 bytes for ever, and
 * a late copy can never come back as new, as it can from a cache of ids that
 * is limited by time or count. As bytes it is the acknowledgement of them all.
 */
export class ReplayWindow {
  readonly #bits: Uint8Array;
  #highest: number;

  constructor(highest = 0, bits: Uint8Array = new Uint8Array(WINDOW_SIZE / 8)) {
    this.#highest = highest;
    this.#bits = bits;
  }

  /** Reads what {@linkcode toBytes} gave; the length has been checked. */
  static fromBytes(bytes: Uint8Array): ReplayWindow {
    const view = new DataView(bytes.buffer, bytes.byteOffset, WINDOW_BYTES);
    return new ReplayWindow(
      Number(view.getBigUint64(0)),
      bytes.slice(8, WINDOW_BYTES),
    );
  }

  /** The highest number that has arrived; 0 for none. */
  get highest(): number {
    return this.#highest;
  }

  /** Says whether the number has arrived, and changes nothing. */
  check(sequence: number): WindowVerdict {
    if (sequence > this.#highest) return "new";
    if (sequence <= this.#highest - WINDOW_SIZE) return "stale";
    return (this.#bits[byteOf(sequence)]! & maskOf(sequence)) === 0
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
          this.#bits[byteOf(i)]! &= ~maskOf(i);
        }
      }
      this.#highest = sequence;
    }
    this.#bits[byteOf(sequence)]! |= maskOf(sequence);
  }

  /** {@linkcode WINDOW_BYTES} bytes. */
  toBytes(): Bytes {
    const bytes = new Uint8Array(WINDOW_BYTES);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(this.#highest));
    bytes.set(this.#bits, 8);
    return bytes;
  }
}

// Not by shifts: sequence numbers go past 32 bits.
function byteOf(sequence: number): number {
  return Math.floor((sequence % WINDOW_SIZE) / 8);
}

function maskOf(sequence: number): number {
  return 1 << (sequence % 8);
}
