import { checkNumber } from "./_options.ts";
import { pauseUntil } from "./_pause.ts";

/** Reads with a time limit, and loses nothing when that is over. */
export interface TimedReader {
  /**
   * The next bytes; `null` at the end of the stream.
   *
   * @param ms How long to wait, in milliseconds.
   * @throws {DOMException} A `TimeoutError`. The read goes on, and what it
   * brings is the answer to the next call.
   * @throws {TypeError} While another call waits: both would get the same bytes.
   */
  read(ms: number): Promise<Uint8Array | null>;
}

/** A timer this late was late because the program stood still or slept. */
const STALL_MS = 500;
/** How long what arrived meanwhile has to be seen. */
const GRACE_MS = 100;

/**
 * Owns the reading side of a connection, for reads that end in time. A
 * `Promise.race` of `read()` and a timer does not do: the read that lost takes
 * the next bytes with it. After a sleep or a stand-still the timer is due first
 * although the bytes are there, so they get a moment to be seen.
 *
 * ```ts
 * import { timedReader } from "@holdfast/recovery";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * using conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
 * using other = await listener.accept();
 * const reader = timedReader(conn);
 * await assertRejects(() => reader.read(10), DOMException);
 * await other.write(new Uint8Array([7]));
 * assertEquals(await reader.read(10_000), new Uint8Array([7]));
 * ```
 *
 * @param chunkBytes The most that one read gives.
 */
export function timedReader(
  conn: Pick<Deno.Conn, "read">,
  chunkBytes: number = 16_384,
): TimedReader {
  checkNumber("read", "chunkBytes", chunkBytes, 1, 1 << 30);
  let pending: Promise<Uint8Array | null> | undefined;
  let waiting = false;
  return {
    async read(ms) {
      checkNumber("read", "ms", ms, 0, 2 ** 31 - 1);
      if (waiting) {
        throw new TypeError(
          "Cannot read: another read is under way: wait for it first",
        );
      }
      waiting = true;
      if (pending === undefined) {
        const buffer = new Uint8Array(chunkBytes);
        pending = conn.read(buffer).then((count) =>
          count === null ? null : buffer.subarray(0, count)
        );
        pending.catch(() => {}); // The next call hears of it.
      }
      const over = new AbortController();
      const late = limit(ms, over.signal);
      const first = await Promise.race([late, pending]).finally(() => {
        over.abort();
        waiting = false;
      });
      if (first === LATE) {
        throw new DOMException(`Nothing came in ${ms} ms`, "TimeoutError");
      }
      pending = undefined;
      return first;
    },
  };
}

const LATE: unique symbol = Symbol("late");

async function limit(ms: number, signal: AbortSignal): Promise<typeof LATE> {
  const from = performance.now();
  await pauseUntil(ms, signal);
  const wall = performance.now() - from;
  if (wall > ms + STALL_MS) await pauseUntil(GRACE_MS, signal);
  return LATE;
}
