import { checkNumber } from "./_options.ts";
import { RecoveryError } from "./errors.ts";

/** Options for {@linkcode writeAll}. */
export interface WriteAllOptions {
  /**
   * How long the other side may take nothing at all, in milliseconds.
   *
   * @default {30_000}
   */
  readonly stallMs?: number | undefined;
  /**
   * The largest piece that is written at once, in bytes. Pieces of 1000 bytes,
   * each in a packet of its own (`setNoDelay`), pass a path that swallows large
   * packets.
   *
   * @default {all that is left}
   */
  readonly pieceBytes?: number | undefined;
}

/**
 * Writes all bytes, where `conn.write()` may take a part and say so by its
 * count alone; and fails when the other side reads no more, where `write()`
 * waits for ever.
 *
 * ```ts
 * import { writeAll } from "@holdfast/recovery";
 * import { assertEquals } from "@std/assert";
 *
 * const taken: number[] = [];
 * const shy = {
 *   write(bytes: Uint8Array) {
 *     taken.push(Math.min(2, bytes.length));
 *     return Promise.resolve(Math.min(2, bytes.length));
 *   },
 * };
 * await writeAll(shy, new Uint8Array(5));
 * assertEquals(taken, [2, 2, 1]);
 * ```
 *
 * @throws {RecoveryError} `recovery/write-stalled`; a part may have been sent,
 * so that nothing but closing the connection is left.
 */
export async function writeAll(
  conn: Pick<Deno.Conn, "write">,
  bytes: Uint8Array,
  options: WriteAllOptions = {},
): Promise<void> {
  const { stallMs = 30_000, pieceBytes = Infinity } = options;
  checkNumber("write", "stallMs", stallMs, 1, 2 ** 31 - 1);
  checkNumber("write", "pieceBytes", pieceBytes, 1, Infinity);
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + pieceBytes);
    const writing = conn.write(bytes.subarray(at, end));
    const count = await unlessStalled(writing, stallMs, at, bytes.length);
    // It would be asked for ever, and no timer would ever fire.
    if (count === 0) throw stalled("nothing", at, bytes.length);
    at += count;
  }
}

async function unlessStalled(
  writing: Promise<number>,
  stallMs: number,
  written: number,
  of: number,
): Promise<number> {
  const over = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    writing.catch(() => {}); // Closing the connection ends it.
    over.reject(stalled(`nothing for ${stallMs} ms`, written, of));
  }, stallMs);
  try {
    return await Promise.race([writing, over.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function stalled(took: string, written: number, of: number): RecoveryError {
  return new RecoveryError(
    "recovery/write-stalled",
    `Cannot write: the other side took ${took} (${written} of ${of} bytes are written): close the connection`,
  );
}
