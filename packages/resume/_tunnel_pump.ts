/** Carries bytes between a program's own connection and its session. */
import { writeAll } from "./_tunnel_hello.ts";
import type { LocalConn } from "./tunnel_options.ts";
import type { ResumableConn } from "./resumable_conn.ts";

// What a quiet connection holds for its next read, and what a busy one reads at
// once: measured, 64 KiB cost a fifth of the throughput.
const CHUNK_BYTES_MIN = 4 * 1024;
const CHUNK_BYTES_MAX = 256 * 1024;
// So many reads in a row that fill little make the memory for the next smaller.
const SMALL_READS = 8;

/** What went through. */
export interface Carried {
  /** Bytes from the program to the session. */
  out: number;
  /** Bytes from the session to the program. */
  in: number;
}

interface Half {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
}

// Reads only what was written: a program that does not read stops the one that
// writes, at the other end of the tunnel, and nothing piles up between.
async function carry(
  from: Half,
  to: Half,
  count: (bytes: number) => void,
): Promise<void> {
  let buffer = new Uint8Array(CHUNK_BYTES_MIN);
  let small = 0;
  for (let n; (n = await from.read(buffer)) !== null;) {
    await writeAll(to, buffer.subarray(0, n));
    count(n);
    const { length } = buffer;
    small = n < length / 8 ? small + 1 : 0;
    if (n === length && length < CHUNK_BYTES_MAX) {
      buffer = new Uint8Array(length * 4);
    } else if (small === SMALL_READS && length > CHUNK_BYTES_MIN) {
      buffer = new Uint8Array(length / 4);
      small = 0;
    }
  }
  await to.closeWrite();
}

/**
 * Both directions, each to its own end: a program that has said all may still
 * listen. An end that breaks ends the other one as well, and not as if it had
 * said all.
 *
 * @param ready Resolves when the session's own bytes begin.
 */
export async function splice(
  local: LocalConn,
  session: ResumableConn,
  carried: Carried,
  ready: Promise<void> = Promise.resolve(),
): Promise<void> {
  const out = carry(local, session, (n) => carried.out += n);
  const back = ready.then(() => carry(session, local, (n) => carried.in += n));
  let failed = true;
  try {
    await Promise.all([out, back]);
    failed = false;
  } finally {
    if (failed) {
      session.abort();
      if (local.reset === undefined) closeLocal(local);
      else local.reset();
      await Promise.allSettled([out, back]);
    }
  }
  session.close();
  closeLocal(local);
}

/** Closes it, whatever became of it. */
export function closeLocal(local: LocalConn): void {
  try {
    local.close();
  } catch {
    // The other direction has ended it already.
  }
}
