/**
 * An endless stream whose every byte follows from its position: a byte that is
 * lost, doubled or out of order is found where it stands, in every process that
 * goes on with the stream.
 */
const BLOCK_BYTES = 16_384;

/** Bytes of a stream from a position on. */
export class Pattern {
  readonly #seed: number;
  readonly #block = new Uint8Array(BLOCK_BYTES);
  #number = -1;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** From the position to the end of its block. */
  at(position: number): Uint8Array<ArrayBuffer> {
    const number = Math.floor(position / BLOCK_BYTES);
    if (number !== this.#number) this.#fill(number);
    return this.#block.subarray(position % BLOCK_BYTES);
  }

  /** Where bytes that came at a position are not what they should be. */
  mismatch(position: number, bytes: Uint8Array): number | undefined {
    for (let i = 0; i < bytes.length;) {
      const right = this.at(position + i);
      const n = Math.min(right.length, bytes.length - i);
      for (let j = 0; j < n; j++) {
        if (bytes[i + j] !== right[j]) return position + i + j;
      }
      i += n;
    }
    return undefined;
  }

  #fill(number: number): void {
    this.#number = number;
    const words = new Uint32Array(this.#block.buffer);
    let state = (this.#seed ^ Math.imul(number + 1, 0x9e3779b9)) >>> 0;
    for (let i = 0; i < words.length; i++) {
      // xorshift32, which never leaves 0.
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      state = (state >>> 0) || 1;
      words[i] = state;
    }
  }
}
