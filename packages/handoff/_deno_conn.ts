/** A descriptor as a real `Deno.TcpConn` or `Deno.UnixConn`, without FFI. */
import { handles, KIND_CONN } from "./_handles.ts";
import { internalOf } from "./_deno_fd.ts";
import type { SocketAddr } from "./_socket_kind.ts";

type ConnClass = new (
  rid: number,
  remoteAddr: SocketAddr,
  localAddr: SocketAddr,
) => Deno.TcpConn;

let known: Promise<ConnClass | undefined> | undefined;

/**
 * Deno's own class of connections, which is no global: taken from a connection
 * that this process makes to itself, once. `undefined` where that is not
 * permitted or the class is not as expected.
 */
function connClass(): Promise<ConnClass | undefined> {
  return known ??= find().catch(() => undefined);
}

async function find(): Promise<ConnClass | undefined> {
  const hostname = "127.0.0.1";
  const { state } = await Deno.permissions.query({
    name: "net",
    host: hostname,
  });
  const TCP = handles()?.TCP;
  if (state !== "granted" || TCP?.prototype.takeStream === undefined) {
    return undefined;
  }
  using listener = Deno.listen({ hostname, port: 0 });
  const [conn, peer] = await Promise.all([
    Deno.connect({ hostname, port: listener.addr.port }),
    listener.accept(),
  ]);
  const fits = typeof internalOf(conn, "Deno.internal.rid") === "number";
  conn.close();
  peer.close();
  return fits ? conn.constructor as unknown as ConnClass : undefined;
}

/**
 * The connection on a descriptor, which it takes over; `undefined`, and the
 * descriptor untouched, where this Deno does not give any.
 */
export async function denoConn(
  fd: number,
  localAddr: SocketAddr | null,
  remoteAddr: SocketAddr | null,
): Promise<Deno.TcpConn | undefined> {
  if (localAddr === null || remoteAddr === null) return undefined;
  const Conn = await connClass();
  if (Conn === undefined) return undefined;
  const handle = new (handles()!.TCP)(KIND_CONN);
  if (handle.open(fd) !== 0) return undefined;
  const rid = handle.takeStream!();
  // Else the number of the descriptor stays in a table, and cannot be used
  // again (Deno 2.9.6).
  handle.close();
  if (rid < 0) return undefined;
  return new Conn(rid, remoteAddr, localAddr);
}
