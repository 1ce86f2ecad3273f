/** The directions of a connection as the streams of the platform. */
import type { ResumableConn } from "./resumable_conn.ts";

const CHUNK_BYTES = 64 * 1024;

/**
 * The receiving direction; the connection stays open at its end. Cancelling
 * closes it, as with a `Deno.TcpConn`: a read that waits could not be taken
 * back, and would lose what it gets.
 */
export function readableOf(
  conn: Pick<ResumableConn, "read" | typeof Symbol.dispose>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const source: UnderlyingByteSource = {
    type: "bytes",
    autoAllocateChunkSize: CHUNK_BYTES,
    pull: async (controller) => {
      const request = controller.byobRequest!;
      const n = await conn.read(request.view as Uint8Array);
      if (n === null) controller.close();
      request.respond(n ?? 0);
    },
    cancel: () => conn[Symbol.dispose](),
  };
  return new ReadableStream(source, { highWaterMark: 0 });
}

/** The sending direction; closing it is `closeWrite`. */
export function writableOf(
  conn: Pick<ResumableConn, "write" | "closeWrite" | "abort">,
): WritableStream<Uint8Array<ArrayBufferLike>> {
  return new WritableStream({
    write: async (chunk) => {
      for (let at = 0; at < chunk.length;) {
        at += await conn.write(chunk.subarray(at));
      }
    },
    close: () => conn.closeWrite(),
    abort: () => conn.abort(),
  });
}
