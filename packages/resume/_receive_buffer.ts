/**
 * Bytes received in order and not yet read by the program. Payloads stay where
 * the transport put them if most of that memory is payload, and are copied
 * together otherwise: so memory stays within twice what is buffered, however
 * small the peer cuts its frames.
 */

import type { Budget } from "./_budget.ts";

const TAIL_BYTES = 4 * 1024;

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
  used: number;
}

function newTail(): Tail {
  const memory = new Uint8Array(TAIL_BYTES);
  const piece = { bytes: memory.subarray(0, 0), at: 0, chunk: undefined };
  return { memory, piece, used: 0 };
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
  #spare: Chunk | undefined;

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
    if (this.#freshBytes * 2 >= chunk.bytes.length) {
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
      if (this.#tail === undefined || this.#tail.used === TAIL_BYTES) {
        this.#tail = newTail();
        this.#pieces.push(this.#tail.piece);
      }
      const { memory, piece, used } = this.#tail;
      const n = Math.min(bytes.length - from, TAIL_BYTES - used);
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
    if (chunk !== undefined && --chunk.references === 0) this.#spare = chunk;
  }

  #clearPieces(): void {
    this.#pieces.length = 0;
    this.#first = 0;
    this.#tail = undefined;
  }

  /** Memory for the next read of the transport: `size` bytes, reused if it can be. */
  chunk(size: number, previous: Chunk | undefined): Chunk {
    if (previous?.references === 0 && previous.bytes.length === size) {
      return previous;
    }
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined && spare.bytes.length === size) return spare;
    return { bytes: new Uint8Array(size), references: 0 };
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
    this.#spare = undefined;
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
