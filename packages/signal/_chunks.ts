import { type Bytes, concat } from "./_bytes.ts";
import { CHUNK_BYTES, type Content } from "./_content.ts";

/** A whole whose chunks stopped coming is given up after this. */
const IDLE_MS = 120_000;
/** How many wholes of one sender are under way, and how many are remembered. */
const WHOLES_MAX = 8;
const DROPPED_MAX = 64;

type Chunk = Content & { readonly type: "chunk" };

/** A large content in pieces, each of which fits into one packet. */
export function split(whole: number, content: Bytes): Chunk[] {
  const count = Math.ceil(content.length / CHUNK_BYTES);
  return Array.from({ length: count }, (_, index) => ({
    ...{ type: "chunk", whole, index, count },
    bytes: content.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  }));
}

interface Partial {
  readonly sender: string;
  readonly chunks: (Uint8Array | undefined)[];
  missing: number;
  heardAt: number;
}

/** What became of a chunk. */
export type Joined =
  | { readonly type: "refused" | "waiting" }
  | { readonly type: "whole"; readonly bytes: Bytes };

/**
 * Joins chunks. Room for a whole is set aside as its first chunk comes, so that
 * what was acknowledged is never thrown away for want of it. Time comes in as
 * `now`.
 */
export class Joiner {
  readonly #wholeBytesMax: number;
  readonly #roomBytes: number;
  readonly #partials: Map<string, Partial> = new Map();
  readonly #dropped: Set<string> = new Set();
  #reserved = 0;

  /** `wholeBytesMax` of one; `roomBytes` for all that are under way. */
  constructor(wholeBytesMax: number, roomBytes: number) {
    this.#wholeBytesMax = wholeBytesMax;
    this.#roomBytes = roomBytes;
  }

  /** How many bytes are set aside. */
  get reserved(): number {
    return this.#reserved;
  }

  /** Takes a chunk of a sender's epoch. */
  take(sender: string, chunk: Chunk, now: number): Joined {
    this.#expire(now);
    const name = `${sender} ${chunk.whole}`;
    if (this.#dropped.has(name)) return { type: "refused" };
    let partial = this.#partials.get(name);
    if (partial === undefined) {
      const reserve = sizeOf(chunk.count);
      if (!this.#hasRoom(sender, reserve)) return { type: "refused" };
      this.#reserved += reserve;
      partial = {
        sender,
        chunks: new Array(chunk.count).fill(undefined),
        missing: chunk.count,
        heardAt: now,
      };
      this.#partials.set(name, partial);
    }
    if (chunk.count !== partial.chunks.length) return { type: "refused" };
    if (chunk.bytes.length > CHUNK_BYTES) return { type: "refused" };
    partial.heardAt = now;
    if (partial.chunks[chunk.index] === undefined) partial.missing--;
    partial.chunks[chunk.index] = chunk.bytes;
    if (partial.missing > 0) return { type: "waiting" };
    return { type: "whole", bytes: concat(...partial.chunks as Uint8Array[]) };
  }

  #hasRoom(sender: string, reserve: number): boolean {
    if (reserve > sizeOf(Math.ceil(this.#wholeBytesMax / CHUNK_BYTES))) {
      return false;
    }
    const own = [...this.#partials.values()].filter((other) =>
      other.sender === sender
    );
    const held = own.reduce(
      (sum, { chunks }) => sum + sizeOf(chunks.length),
      0,
    );
    // Half is for others: one who stops in the middle must not stop them, too.
    return own.length < WHOLES_MAX &&
      (own.length === 0 || held + reserve <= this.#roomBytes / 2) &&
      this.#reserved + reserve <= this.#roomBytes;
  }

  /** The whole was taken: its room is free. */
  done(sender: string, whole: number): void {
    this.#forget(`${sender} ${whole}`);
  }

  #expire(now: number): void {
    for (const [name, { heardAt }] of this.#partials) {
      if (now - heardAt < IDLE_MS) continue;
      this.#forget(name);
      // What comes of it later must not be acknowledged.
      this.#dropped.add(name);
      const [oldest] = this.#dropped;
      if (this.#dropped.size > DROPPED_MAX) this.#dropped.delete(oldest!);
    }
  }

  #forget(name: string): void {
    const partial = this.#partials.get(name);
    if (partial === undefined) return;
    this.#partials.delete(name);
    this.#reserved -= sizeOf(partial.chunks.length);
  }
}

function sizeOf(chunks: number): number {
  return chunks * CHUNK_BYTES;
}
