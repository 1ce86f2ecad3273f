/**
 * Taking a socket out of the object that reads from it, with every byte that
 * was read ahead.
 */
import { Socket as DatagramSocket } from "node:dgram";
import { Server, Socket } from "node:net";
import { setImmediate } from "node:timers";
import { join } from "./_bytes.ts";
import { detachDeno, detachDenoListener } from "./_detach_deno.ts";
import { datagramHandleOf, handleOf, type RawHandle } from "./_handles.ts";
import { holdFd } from "./_hold_fd.ts";
import { libc } from "./_libc.ts";
import { MovedConn } from "./_moved_conn.ts";
import { impossible, needsFfi, notSupported } from "./_not_supported.ts";
import { gone } from "./_os_errors.ts";
import type { SocketAddr } from "./_socket_kind.ts";
import { DetachedSocket, type DetachedSocketParts } from "./detached_socket.ts";
import { keptSocketOf, PassableListener } from "./listener.ts";
import { partsOf, SocketConn } from "./socket_conn.ts";

/** Anything that {@linkcode detach} takes. */
export type Detachable =
  | DetachedSocket
  | Socket
  | Server
  | DatagramSocket
  | SocketConn
  | PassableListener<Deno.Addr>
  | Deno.Conn<Deno.Addr>
  | Deno.Listener<Deno.Conn<Deno.Addr>, Deno.Addr>;

/** Options for {@linkcode detach}. */
export interface DetachOptions {
  /**
   * For a connection on which a `read` is pending: that read, made to give the
   * bytes, so that they travel along should it have some already. Else it
   * rejects, and has taken nothing.
   */
  readonly pendingRead?:
    | Promise<Uint8Array | null | undefined>
    | undefined;
  /** Bytes that the program has read and not used, before all others. */
  readonly unread?: Uint8Array | undefined;
  /** Aborts the wait for pending writes; nothing is detached then. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes a socket out of the object that used it, without shutting it down and
 * without losing a byte: what was read ahead is in `unread`, what was written
 * has reached the kernel. The object counts as closed, and its pending reads
 * reject.
 *
 * Takes `node:net` sockets and servers (`node:http` servers too), `node:dgram`
 * sockets, and what this package makes, without any permission. A
 * `Deno.TcpConn`, `Deno.UnixConn` or `Deno.Listener` needs `--allow-ffi`, since
 * Deno's own `close()` shuts a connection down for everybody.
 *
 * @example
 * ```ts
 * import { adopt, detach, listen } from "@holdfast/handoff";
 * import { assertEquals } from "@std/assert";
 *
 * using listener = await listen({ port: 0 });
 * const { hostname, port } = listener.addr;
 * using client = await Deno.connect({ hostname, port });
 * const conn = await listener.accept();
 * const detached = await detach(conn); // could go to another process now
 * assertEquals(detached.kind, "tcp-conn");
 * using again = await adopt(detached, "conn");
 * await again.write(new TextEncoder().encode("hello"));
 * assertEquals(await client.read(new Uint8Array(8)), 5);
 * ```
 *
 * @throws {HandoffError} `handoff/not-supported` for what cannot be detached
 *   (TLS, HTTP/2, WebSocket) or not without FFI; the message has the best
 *   alternative.
 * @throws {Deno.errors.BadResource} When it is closed already.
 */
export async function detach(
  socket: Detachable,
  options: DetachOptions = {},
): Promise<DetachedSocket> {
  options.signal?.throwIfAborted();
  const cannot = impossible(socket);
  if (cannot !== undefined) throw cannot;
  if (socket instanceof DetachedSocket) return socket;
  if (Deno.build.os === "windows") throw notSupported("detach a socket");
  if (socket instanceof MovedConn) {
    const { conn, unread } = MovedConn.take(socket);
    const all = join([options.unread, unread]);
    return await detach(conn, { ...options, unread: all });
  }
  if (socket instanceof SocketConn) return await detachOwn(socket, options);
  if (socket instanceof PassableListener) return await takeListener(socket);
  if (socket instanceof Socket) return await detachNode(socket, options);
  if (socket instanceof DatagramSocket) return await detachDatagram(socket);
  if (isServer(socket)) return await detachServer(socket);
  const library = libc();
  if (library === undefined) {
    throw needsFfi(
      "detach a socket of Deno's own",
      "open it by node:net or by listen() of this package",
    );
  }
  if ("remoteAddr" in socket) return await detachDeno(library, socket, options);
  if ("addr" in socket) return detachDenoListener(library, socket);
  throw new TypeError(
    "Cannot detach a socket: the object is none: pass a connection, a listener or a datagram socket",
  );
}

/** `node:http` has servers of its own class. */
function isServer(socket: object): socket is Server {
  return socket instanceof Server ||
    "listening" in socket && "maxConnections" in socket ||
    "listening" in socket && "headersTimeout" in socket;
}

async function detachOwn(
  conn: SocketConn,
  options: DetachOptions,
): Promise<DetachedSocket> {
  const { socket, duplex } = partsOf(conn);
  if (duplex.closed) throw gone();
  if (!await duplex.written()) throw gone();
  options.signal?.throwIfAborted();
  // From here on in one turn: nothing is read in between.
  const rest = duplex.leave();
  const taken = takeNode(socket);
  return holdFd(taken.fd, {
    ...taken.parts,
    localAddr: conn.localAddr,
    remoteAddr: conn.remoteAddr,
    unread: join([
      options.unread,
      await options.pendingRead?.catch(() => null),
      rest,
      ...taken.chunks,
    ]),
  });
}

async function detachNode(
  socket: Socket,
  options: DetachOptions,
): Promise<DetachedSocket> {
  if (socket.connecting || socket.destroyed) throw gone();
  while (socket.writableLength > 0) {
    await new Promise((resolve) => setImmediate(resolve));
    options.signal?.throwIfAborted();
    if (socket.destroyed) throw gone();
  }
  const { fd, parts, chunks } = takeNode(socket);
  const read = await options.pendingRead?.catch(() => null);
  const unread = join([options.unread, read, ...chunks]);
  return holdFd(fd, { ...parts, unread });
}

/** In one turn: a byte that arrives later stays in the kernel. */
function takeNode(socket: Socket): {
  readonly fd: number;
  readonly parts: DetachedSocketParts;
  readonly chunks: readonly Uint8Array[];
} {
  const handle = handleOf(socket);
  if (handle === undefined || socket.destroyed) throw gone();
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  const chunks: Uint8Array[] = [];
  socket.pause();
  // Before readStop(): each read() starts reading again.
  for (let chunk: unknown; (chunk = socket.read()) !== null;) {
    chunks.push(chunk as Uint8Array);
  }
  handle.readStop?.();
  const fd = duplicate(handle);
  socket.destroy();
  const addr = (hostname = "", port = 0): Deno.NetAddr => ({
    transport: "tcp",
    hostname,
    port,
  });
  const tcp = localPort !== undefined;
  return {
    fd,
    chunks,
    parts: {
      kind: tcp ? "tcp-conn" : "unix-conn",
      localAddr: tcp ? addr(localAddress, localPort) : null,
      remoteAddr: tcp ? addr(remoteAddress, remotePort) : null,
    },
  };
}

/** What `fdForIpc` gives, checked. */
function duplicate(handle: RawHandle): number {
  const fd = handle.fdForIpc();
  if (fd >= 0) return fd;
  throw Object.assign(
    new Error(
      "Cannot detach a socket: this process has no descriptor left: close some, or raise its limit (ulimit -n)",
    ),
    { code: "EMFILE" },
  );
}

async function detachServer(server: Server): Promise<DetachedSocket> {
  const handle = handleOf(server);
  if (!server.listening || handle === undefined) throw gone();
  const address = server.address();
  const fd = duplicate(handle);
  // In a later turn: Deno accepts a whole burst before it tells of the first
  // connection, and a server closed in between loses the rest.
  await new Promise((resolve) => setImmediate(resolve));
  // Not http.Server's own close, which would end idle connections.
  const close = Server.prototype.close as (this: Server) => void;
  close.call(server);
  const tcp = address !== null && typeof address === "object";
  return holdFd(fd, {
    kind: tcp ? "tcp-listener" : "unix-listener",
    localAddr: tcp
      ? { transport: "tcp", hostname: address.address, port: address.port }
      : address === null
      ? null
      : { transport: "unix", path: address },
    remoteAddr: null,
  });
}

async function detachDatagram(socket: DatagramSocket): Promise<DetachedSocket> {
  const handle = datagramHandleOf(socket);
  if (handle === undefined) throw gone();
  const { address: hostname, port } = socket.address();
  handle.recvStop?.();
  // What was received by now is still told to the listeners.
  await new Promise((resolve) => setImmediate(resolve));
  const fd = duplicate(handle);
  socket.close();
  const localAddr: Deno.NetAddr = { transport: "udp", hostname, port };
  return holdFd(fd, { kind: "udp", localAddr, remoteAddr: null });
}

async function takeListener(
  listener: PassableListener<Deno.Addr>,
): Promise<DetachedSocket> {
  const kept = keptSocketOf(listener);
  await listener.pause();
  const fd = kept.duplicate();
  const addr = listener.addr as SocketAddr;
  // What was accepted and not taken belongs to this process: give it out.
  listener.retire();
  return holdFd(fd, {
    kind: "path" in addr ? "unix-listener" : "tcp-listener",
    localAddr: addr,
    remoteAddr: null,
  });
}
