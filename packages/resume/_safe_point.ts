/**
 * How much of a stream is safe in a store, and so may be sent and acknowledged:
 * the output-commit rule (Strom and Yemini, Optimistic Recovery in Distributed
 * Systems, 1985).
 */
import { FIRST_CUT } from "./_core_state.ts";
import type { StreamCut } from "./store.ts";

/** See the module's comment. */
export class SafePoint {
  #cut: StreamCut;
  #mark: number;

  constructor(cut: StreamCut = FIRST_CUT) {
    this.#cut = cut;
    this.#mark = markOf(cut);
  }

  /** How far what was written may be sent. */
  get written(): number {
    return this.#cut.written;
  }

  /** Whether the end of what was written may be sent. */
  get finQueued(): boolean {
    return this.#cut.finQueued;
  }

  /** What may be acknowledged: bytes, and one more for the end. */
  get mark(): number {
    return this.#mark;
  }

  /** Whether the store lacks something of where the stream stands now. */
  lacks(now: StreamCut): boolean {
    const safe = this.#cut;
    return safe.written < now.written || safe.consumed < now.consumed ||
      safe.finQueued !== now.finQueued || safe.finRead !== now.finRead ||
      safe.peerClosed !== now.peerClosed;
  }

  /** The store has all up to there; tells whether more may be acknowledged. */
  advance(cut: StreamCut): boolean {
    const before = this.#mark;
    this.#cut = cut;
    this.#mark = markOf(cut);
    return this.#mark !== before;
  }
}

function markOf({ consumed, finRead }: StreamCut): number {
  return consumed + (finRead ? 1 : 0);
}
