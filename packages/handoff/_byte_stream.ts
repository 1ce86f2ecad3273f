/** What a connection offers to be read from as a stream. */
interface Readable extends Disposable {
  read(into: Uint8Array): Promise<number | null>;
}

const CHUNK_BYTES = 64 * 1024;

/** The bytes to come. Its end closes the connection, as in `Deno.TcpConn`. */
export function readableOf(
  conn: Readable,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: CHUNK_BYTES,
    pull: async (controller) => {
      const request = controller.byobRequest!;
      const view = request.view as Uint8Array<ArrayBuffer>;
      const count = await conn.read(view);
      if (count === null) {
        conn[Symbol.dispose]();
        controller.close();
      }
      request.respond(count ?? 0);
    },
    cancel: () => conn[Symbol.dispose](),
  }, { highWaterMark: 0 }) as ReadableStream<Uint8Array<ArrayBuffer>>;
}
