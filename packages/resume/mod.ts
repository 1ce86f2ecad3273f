/**
 * Byte streams that survive broken connections.
 *
 * A {@linkcode ResumableConn} is a `Deno.Conn` over any transport: when one
 * breaks, another carries on, and what was lost is sent again.
 *
 * ```ts
 * import { acceptResumable, connectResumable } from "@holdfast/resume";
 * import { assertEquals } from "@std/assert";
 *
 * const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const { hostname, port } = listener.addr;
 * await using server = acceptResumable(listener);
 *
 * let transport: Deno.TcpConn | undefined;
 * const dial = async () => transport = await Deno.connect({ hostname, port });
 * const client = await connectResumable(dial);
 * const accepted = await server.accept();
 * transport!.close(); // It breaks...
 * await client.write(new TextEncoder().encode("still here"));
 *
 * const into = new Uint8Array(32);
 * const n = await accepted.read(into); // ...and nobody minds.
 * assertEquals(new TextDecoder().decode(into.subarray(0, n!)), "still here");
 * accepted.close();
 * client.close();
 * await client.closed;
 * ```
 *
 * @module
 */
export type {
  AcceptOptions,
  AuthorizeRequest,
  ServerLimits,
  TransportSource,
} from "./accept_options.ts";
export { connectResumable } from "./client.ts";
export type {
  ConnectOptions,
  Dial,
  DialContext,
  NetworkNews,
  PathNews,
} from "./connect_options.ts";
export {
  ResumeError,
  type ResumeErrorCode,
  type ResumeErrorOptions,
} from "./errors.ts";
export type { DetachReason, ResumeEvent, ResumeServerEvent } from "./events.ts";
export type { PresharedKey } from "./_handshake_client.ts";
export type { Notice } from "./_notice.ts";
export type { StreamOptions } from "./_options.ts";
export type {
  ResumableConn,
  ResumableState,
  ResumableStats,
} from "./resumable_conn.ts";
export { acceptResumable, ResumeServer } from "./server.ts";
export type { Transport } from "./transport.ts";
