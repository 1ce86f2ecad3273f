import { FRAME, HEADER_BYTES, putHeader, putU64 } from "./_wire.ts";

// All that an end may have to send at once: an ACK and its limit, four PONGs,
// two PINGs, FIN and CLOSE.
const BYTES_MAX = 9 * HEADER_BYTES + 8;

/** The ids of the PINGs of an end: nobody else reads them. */
export const PING = { liveness: 0, close: 1, notice: 2 } as const;

/** Control frames, one after the other, to be written together. */
export class ControlFrames {
  readonly #out = new Uint8Array(BYTES_MAX);
  #length = 0;

  /** A frame that is its header alone. */
  add(type: number, offset: number, payloadBytes = 0): void {
    putHeader(this.#out, this.#length, type, payloadBytes, offset);
    this.#length += HEADER_BYTES;
  }

  /** How far this end received, and how far it may be sent to. */
  addAck(mark: number, limit: number): void {
    this.add(FRAME.ack, mark, 8);
    putU64(this.#out, this.#length, limit);
    this.#length += 8;
  }

  /** All of them. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#out.subarray(0, this.#length);
  }
}
