/**
 * Bytes received in order and not yet read by the program. Payloads stay where
 * the transport put them if a good part of that memory is payload, and are
 * copied together otherwise: so memory stays within a few times what is
 * buffered, however small the peer cuts its frames.
 */

import type { Budget } from "./_budget.ts";

const TAIL_BYTES = 4 * 1024;
// A chunk is kept if at least a quarter of it is payload, in pieces that are
// worth what each costs beside its bytes: some 160 of them, measured.
const KEEP_SHARE = 4;
const KEPT_PIECE_BYTES = 512;
const SPARES_MAX = 8;

/** Memory that transports read into; free again once nobody refers to it. */
export interface Chunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many pieces of it wait for the program. */
  references: number;
}

interface Piece {
  bytes: Uint8Array<ArrayBufferLike>;
  at: number;
  readonly chunk: Chunk | undefined;
}

/** A piece that small payloads are copied into, one after the other. */
interface Tail {
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly piece: Piece;
  readonly size: number;
  used: number;
}

function newTail(size: number): Tail {
  const memory = new Uint8Array(size);
  const piece = { bytes: memory.subarray(0, 0), at: 0, chunk: undefined };
  return { memory, piece, used: 0, size };
}

/** See the module's comment. */
export class ReceiveBuffer {
  #budget: Budget | undefined;
  readonly #pieces: Piece[] = [];
  #first = 0;
  // Pieces of the chunk that is being parsed, not yet settled.
  #fresh: Uint8Array[] = [];
  #freshBytes = 0;
  #tail: Tail | undefined;
  #size = 0;
  #spares: Chunk[] = [];

  constructor(budget?: Budget) {
    this.#budget = budget;
  }

  /** How many bytes wait for the program. */
  get size(): number {
    return this.#size;
  }

  /** Adds a payload that lies in the chunk being parsed. */
  add(payload: Uint8Array): void {
    this.#fresh.push(payload);
    this.#freshBytes += payload.length;
    this.#size += payload.length;
    this.#budget?.add(payload.length);
  }

  /** Decides, after a chunk was parsed, what becomes of its payloads. */
  settle(chunk: Chunk): void {
    if (
      this.#freshBytes * KEEP_SHARE >= chunk.bytes.length &&
      this.#freshBytes >= this.#fresh.length * KEPT_PIECE_BYTES
    ) {
      this.#tail = undefined;
      for (const bytes of this.#fresh) {
        chunk.references++;
        this.#pieces.push({ bytes, at: 0, chunk });
      }
    } else {
      for (const bytes of this.#fresh) this.#copyIn(bytes);
    }
    this.#fresh = [];
    this.#freshBytes = 0;
  }

  /** Adds bytes that somebody restores, by copying them. */
  restore(bytes: Uint8Array): void {
    this.#size += bytes.length;
    this.#budget?.add(bytes.length);
    this.#copyIn(bytes);
  }

  #copyIn(bytes: Uint8Array): void {
    let from = 0;
    while (from < bytes.length) {
      if (this.#tail === undefined || this.#tail.used === this.#tail.size) {
        this.#tail = newTail(Math.max(TAIL_BYTES, bytes.length - from));
        this.#pieces.push(this.#tail.piece);
      }
      const { memory, piece, used, size } = this.#tail;
      const n = Math.min(bytes.length - from, size - used);
      memory.set(bytes.subarray(from, from + n), used);
      this.#tail.used += n;
      piece.bytes = memory.subarray(0, used + n);
      from += n;
    }
  }

  /** Moves bytes to the program; 0 when there are none. */
  read(into: Uint8Array): number {
    this.#unsettled();
    let n = 0;
    while (n < into.length && this.#first < this.#pieces.length) {
      const piece = this.#pieces[this.#first]!;
      const part = piece.bytes.subarray(piece.at, piece.at + into.length - n);
      into.set(part, n);
      n += part.length;
      piece.at += part.length;
      if (piece.at === piece.bytes.length) this.#release(piece);
    }
    this.#size -= n;
    if (this.#first === this.#pieces.length) this.#clearPieces();
    else if (this.#first > 1024) {
      this.#pieces.splice(0, this.#first);
      this.#first = 0;
    }
    this.#budget?.release(n);
    return n;
  }

  #unsettled(): void {
    if (this.#fresh.length > 0) {
      throw new Error("Cannot read while a chunk is being parsed");
    }
  }

  #release(piece: Piece): void {
    this.#first++;
    const { chunk } = piece;
    if (chunk !== undefined && --chunk.references === 0) {
      // The one being read into may be among them; it is not given out twice.
      if (this.#spares.length < SPARES_MAX) this.#spares.push(chunk);
    }
  }

  #clearPieces(): void {
    this.#pieces.length = 0;
    this.#first = 0;
    this.#tail = undefined;
  }

  /** Memory for the next read of the transport: `size` bytes, reused if it can be. */
  chunk(size: number, previous: Chunk | undefined): Chunk {
    if (previous?.references === 0 && previous.bytes.length === size) {
      const at = this.#spares.indexOf(previous);
      if (at >= 0) this.#spares.splice(at, 1);
      return previous;
    }
    for (let spare; (spare = this.#spares.pop()) !== undefined;) {
      if (spare.bytes.length === size) return spare;
    }
    return { bytes: new Uint8Array(size), references: 0 };
  }

  /** Gives back memory that holds nothing; for a stream that went quiet. */
  shrink(): void {
    this.#spares = [];
  }

  /** Gives back its share of the budget, for good: the stream is over. */
  leaveBudget(): void {
    const budget = this.#budget;
    this.#budget = undefined;
    budget?.release(this.#size);
  }

  /** Drops everything. */
  clear(): void {
    this.#clearPieces();
    this.#fresh = [];
    this.#freshBytes = 0;
    const released = this.#size;
    this.#size = 0;
    this.#spares = [];
    this.#budget?.release(released);
  }

  /** A copy of what waits for the program. */
  peekAll(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.#size);
    let n = 0;
    for (const piece of this.#pieces.slice(this.#first)) {
      const part = piece.bytes.subarray(piece.at);
      out.set(part, n);
      n += part.length;
    }
    return out;
  }
}
