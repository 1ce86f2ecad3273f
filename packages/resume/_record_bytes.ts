/** The header of a handshake record, and the pieces of its body. */
import { getU32, getU64, ProtocolViolation, putU32, putU64 } from "./_wire.ts";

/** "HFR1" */
export const MAGIC: readonly number[] = [0x48, 0x46, 0x52, 0x31];
/** Magic, kind, 16-bit length. */
export const RECORD_HEADER_BYTES = 7;
/** The longest body of a handshake record. */
export const RECORD_BODY_MAX = 512;

export type Bytes = Uint8Array<ArrayBuffer>;

/** None, in one array for all. */
export const NO_BYTES: Bytes = new Uint8Array(0);

/** Writes the body of a record behind room for its header. */
export class RecordWriter {
  readonly #out = new Uint8Array(RECORD_HEADER_BYTES + RECORD_BODY_MAX);
  #at = RECORD_HEADER_BYTES;

  u8(value: number): this {
    this.#out[this.#at++] = value;
    return this;
  }
  u32(value: number): this {
    putU32(this.#out, this.#at, value);
    this.#at += 4;
    return this;
  }
  u64(value: number): this {
    putU64(this.#out, this.#at, value);
    this.#at += 8;
    return this;
  }
  bytes(value: Uint8Array): this {
    this.#out.set(value, this.#at);
    this.#at += value.length;
    return this;
  }
  record(kind: number): Bytes {
    const length = this.#at - RECORD_HEADER_BYTES;
    this.#out.set(MAGIC);
    this.#out[4] = kind;
    this.#out[5] = length >>> 8;
    this.#out[6] = length;
    return this.#out.slice(0, this.#at);
  }
}

/** Reads the body of a record; too few or too many bytes are violations. */
export class RecordReader {
  readonly #from: Bytes;
  #at = 0;

  constructor(from: Bytes) {
    this.#from = from;
  }
  #need(n: number): number {
    if (this.#at + n > this.#from.length) {
      throw new ProtocolViolation("handshake record too short");
    }
    const at = this.#at;
    this.#at += n;
    return at;
  }
  u8(): number {
    return this.#from[this.#need(1)]!;
  }
  u32(): number {
    return getU32(this.#from, this.#need(4));
  }
  u64(): number {
    const value = getU64(this.#from, this.#need(8));
    if (!Number.isSafeInteger(value)) {
      throw new ProtocolViolation("number beyond 2^53 - 1 in a handshake");
    }
    return value;
  }
  bytes(length: number): Bytes {
    const at = this.#need(length);
    // Most sessions have no key id, and keep none.
    return length === 0 ? NO_BYTES : this.#from.slice(at, at + length);
  }
  end(): void {
    if (this.#at !== this.#from.length) {
      throw new ProtocolViolation("handshake record too long");
    }
  }
}
