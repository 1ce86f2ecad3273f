/** The endless stream of one end: writes its own, and checks the other's. */
import type { ResumableConn } from "@holdfast/resume";
import { type Checker, fill } from "./content.ts";

const TICK_MS = 20;
// After a pause it catches up with so much, and not with all that it missed.
const BEHIND_MAX_MS = 500;
const PIECE_BYTES = 64 * 1024;

/** One end of the stream. */
export interface Flow {
  readonly conn: ResumableConn;
  readonly rateBytesPerS: number;
  /** Of the bytes that this end sends. */
  readonly seed: number;
  /** Reads those of the other end. */
  readonly checker: Checker;
}

/** How long nothing came, between two reads. */
export class Gaps {
  longestMs = 0;
  #last: number | undefined;

  /** Something came. */
  mark(now: number): void {
    if (this.#last !== undefined) {
      this.longestMs = Math.max(this.longestMs, now - this.#last);
    }
    this.#last = now;
  }
}

/** Sends until the stream ends here; returns when it goes on in another process. */
export async function pour(flow: Flow): Promise<void> {
  const { conn, rateBytesPerS, seed } = flow;
  const piece = new Uint8Array(PIECE_BYTES);
  let from = performance.now();
  let sent = 0;
  try {
    for (;;) {
      const now = performance.now();
      let due = (now - from) / 1000 * rateBytesPerS - sent;
      const most = BEHIND_MAX_MS / 1000 * rateBytesPerS;
      if (due > most) {
        from = now - BEHIND_MAX_MS;
        sent = 0;
        due = most;
      }
      const size = Math.min(PIECE_BYTES, Math.floor(due));
      const bytes = piece.subarray(0, Math.max(0, size));
      fill(bytes, seed, conn.bytesWritten);
      for (let at = 0; at < bytes.length;) {
        at += await conn.write(bytes.subarray(at));
      }
      sent += bytes.length;
      if (size < PIECE_BYTES) await pause(TICK_MS);
    }
  } catch (error) {
    if (!isSuspended(error)) throw error;
  }
}

/** Reads and checks until the stream goes on in another process. */
export async function drink(
  { conn, checker }: Flow,
  gaps: Gaps,
): Promise<void> {
  const piece = new Uint8Array(PIECE_BYTES);
  try {
    for (;;) {
      const n = await conn.read(piece);
      if (n === null) throw new Error("The other end ended the stream");
      checker.feed(piece.subarray(0, n));
      gaps.mark(performance.now());
    }
  } catch (error) {
    if (!isSuspended(error)) throw error;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function isSuspended(error: unknown): boolean {
  return (error as { code?: string }).code === "resume/suspended";
}
