/**
 * Test streams at full speed: a table of random bytes, repeated. Its length is
 * prime, so that no buffer size makes a loss or a repetition fit in; the totals
 * of both ends are compared beside it.
 */
import { Random } from "./random.ts";

const PERIOD = 1_048_573;
const PIECE_BYTES_MAX = 256 * 1024;

/** See the module's comment. */
export class Table {
  readonly #bytes: Uint8Array<ArrayBuffer>;

  constructor(seed: number) {
    const random = new Random(seed);
    const words = Uint32Array.from(
      { length: Math.ceil(PERIOD / 4) },
      () => random.next() * 2 ** 32,
    );
    this.#bytes = new Uint8Array(PERIOD + PIECE_BYTES_MAX);
    this.#bytes.set(new Uint8Array(words.buffer, 0, PERIOD));
    this.#bytes.copyWithin(PERIOD, 0, PIECE_BYTES_MAX);
  }

  /** What the stream has at an offset; valid as long as nobody changes it. */
  at(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const from = offset % PERIOD;
    return this.#bytes.subarray(from, from + length);
  }

  /** Fails at the first byte that does not stand at its offset. */
  check(offset: number, bytes: Uint8Array): void {
    const expected = this.at(offset, bytes.length);
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] === expected[i]) continue;
      throw new Error(`Wrong byte at ${offset + i}`);
    }
  }
}

/** The longest piece that a table gives or checks at once. */
export const PIECE_MAX: number = PIECE_BYTES_MAX;
