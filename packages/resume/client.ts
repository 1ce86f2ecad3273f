import { ClientSession } from "./_client_session.ts";
import type { ConnectOptions, Dial } from "./connect_options.ts";
import type { ResumableConn } from "./resumable_conn.ts";

/**
 * Opens a resumable byte stream. `dial` gets the transport, now and whenever
 * one broke; all else goes on by itself until the stream is closed, or no
 * transport came back within the server's time to live.
 *
 * ```ts
 * import { acceptResumable, connectResumable } from "@holdfast/resume";
 * import { assertEquals } from "@std/assert";
 *
 * const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * await using server = acceptResumable(listener);
 * const { port } = listener.addr;
 *
 * const client = await connectResumable(() => Deno.connect({ hostname: "127.0.0.1", port }));
 * await client.write(new TextEncoder().encode("hello"));
 *
 * const accepted = await server.accept();
 * const into = new Uint8Array(16);
 * const n = await accepted.read(into);
 * assertEquals(new TextDecoder().decode(into.subarray(0, n!)), "hello");
 * accepted.close();
 * client.close();
 * await client.closed;
 * ```
 *
 * @throws {ResumeError} When the server refuses, or no handshake succeeds.
 * @throws {RangeError} For an option out of range.
 */
export async function connectResumable(
  dial: Dial,
  options: ConnectOptions = {},
): Promise<ResumableConn> {
  return (await openClient(dial, options)).conn;
}

/** For this package: what keeps the stream supplied, beside the stream. */
export async function openClient(
  dial: Dial,
  options: ConnectOptions,
): Promise<{ readonly conn: ResumableConn; readonly session: ClientSession }> {
  options.signal?.throwIfAborted();
  const session = new ClientSession(dial, options);
  try {
    return { conn: await session.open(), session };
  } catch (error) {
    session.stop();
    throw options.signal?.aborted ? options.signal.reason : error;
  }
}
