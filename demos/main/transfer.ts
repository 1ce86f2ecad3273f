/** Streams a file out and another one in, and knows where it stands. */
import type { ResumableConn } from "@holdfast/resume";

/** How far a program is in its two files; what it hands to its successor. */
export interface Position {
  /** Bytes of its own file that the stream took. */
  sent: number;
  /** Bytes of the other's file that are on disk. */
  received: number;
}

const PIECE_BYTES = 64 * 1024;

/** One program's share of the work. */
export interface Transfer {
  readonly conn: ResumableConn;
  readonly outPath: string;
  readonly inPath: string;
  readonly rateBytesPerS: number;
  readonly position: Position;
  /** Resolves when the sending may go on past nine tenths of the file. */
  readonly mayFinish?: Promise<void> | undefined;
}

/**
 * Runs both directions to their ends. When the stream is suspended they stop,
 * and `position` says where.
 *
 * @returns Whether both came to their ends.
 */
export async function transfer(work: Transfer): Promise<boolean> {
  const ends = await Promise.all([
    unlessSuspended(send(work)),
    unlessSuspended(receive(work)),
  ]);
  return ends.every((end) => end === "done");
}

async function unlessSuspended(
  direction: Promise<void>,
): Promise<"done" | "suspended"> {
  try {
    await direction;
    return "done";
  } catch (error) {
    if ((error as { code?: string }).code === "resume/suspended") {
      return "suspended";
    }
    throw error;
  }
}

async function send(work: Transfer): Promise<void> {
  const { conn, outPath, position, rateBytesPerS, mayFinish } = work;
  using file = await Deno.open(outPath);
  await file.seek(position.sent, Deno.SeekMode.Start);
  const start = performance.now();
  const from = position.sent;
  const { size } = await file.stat();
  // A few milliseconds' worth, so that the flow is even at every rate.
  const size4ms = Math.ceil(rateBytesPerS / 250);
  const piece = new Uint8Array(Math.min(PIECE_BYTES, size4ms));
  for (let n; (n = await file.read(piece)) !== null;) {
    for (let at = 0; at < n;) {
      const taken = await conn.write(piece.subarray(at, n));
      at += taken;
      position.sent += taken;
    }
    if (position.sent > size * 0.9) await mayFinish;
    // Slow enough to be watched: on loopback it would be over in a blink.
    const aheadMs = (position.sent - from) / rateBytesPerS * 1000 -
      (performance.now() - start);
    if (aheadMs > 4) {
      await new Promise((resolve) => setTimeout(resolve, aheadMs));
    }
  }
  await conn.closeWrite();
}

async function receive({ conn, inPath, position }: Transfer): Promise<void> {
  using file = await Deno.open(inPath, { create: true, write: true });
  await file.seek(position.received, Deno.SeekMode.Start);
  const piece = new Uint8Array(PIECE_BYTES);
  for (let n; (n = await conn.read(piece)) !== null;) {
    for (let at = 0; at < n;) at += await file.write(piece.subarray(at, n));
    position.received += n;
  }
}
