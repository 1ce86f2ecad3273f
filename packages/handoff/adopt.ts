/** Giving a socket without a reader to an object that reads from it. */
import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import type { EventEmitter } from "node:events";
import {
  createServer,
  isIPv6,
  type Server,
  Socket,
  type SocketConstructorOpts,
} from "node:net";
import { denoConn } from "./_deno_conn.ts";
import type { RawHandle } from "./_handles.ts";
import { holdAnyFd } from "./_hold_fd.ts";
import { MovedConn } from "./_moved_conn.ts";
import { badResource } from "./_os_errors.ts";
import {
  describeKind,
  isConn,
  isListener,
  type SocketAddr,
} from "./_socket_kind.ts";
import {
  type DetachedSocket,
  handleIn,
  takeHandle,
} from "./detached_socket.ts";
import { BACKLOG_DEFAULT, startListening } from "./listen.ts";
import type { PassableListener } from "./listener.ts";
import { connFromSocket } from "./socket_conn.ts";

/** What a socket can become; see {@linkcode adopt}. */
export interface Adopted {
  /** A `node:net` socket, paused; its unread bytes come first. */
  readonly socket: Socket;
  /**
   * A connection with Deno's interface: Deno's own where its class can be had
   * (which takes `--allow-net=127.0.0.1`, once), else one over `node:net`;
   * unread bytes come first.
   */
  readonly conn: Deno.TcpConn;
  /** A listener of this package, which can be passed on. */
  readonly listener: PassableListener<Deno.Addr>;
  /** A `node:net` server that accepts: add a `"connection"` listener at once. */
  readonly server: Server;
  /** A `node:dgram` socket: add a `"message"` listener at once. */
  readonly datagram: DatagramSocket;
}

const FITS: Readonly<Record<keyof Adopted, (s: DetachedSocket) => boolean>> = {
  socket: ({ kind }) => isConn(kind),
  conn: ({ kind }) => isConn(kind),
  listener: ({ kind }) => isListener(kind),
  server: ({ kind }) => isListener(kind),
  datagram: ({ kind }) => kind === "udp",
};

/**
 * Makes a socket usable again, as an object of the kind asked for. Needs no
 * permission; an adopted socket works without `--allow-net`.
 *
 * Give it a {@linkcode DetachedSocket}, or the number of a descriptor that
 * this process has inherited. The descriptor belongs to the new object.
 *
 * @example
 * ```ts
 * import { adopt, detach, listen } from "@holdfast/handoff";
 * import { assertEquals } from "@std/assert";
 *
 * const first = await listen({ port: 0 });
 * const { port } = first.addr;
 * using second = await adopt(await detach(first), "listener");
 * assertEquals((second.addr as Deno.NetAddr).port, port);
 * ```
 *
 * @throws {TypeError} When the socket is of another kind.
 * @throws {Deno.errors.BadResource} When it was closed or taken, or the
 *   descriptor is no socket.
 */
export async function adopt<As extends keyof Adopted>(
  socket: DetachedSocket | number,
  as: As,
): Promise<Adopted[As]> {
  const held = typeof socket === "number" ? takeNumber(socket) : socket;
  handleIn(held);
  if (!Object.hasOwn(FITS, as)) {
    throw new TypeError(
      `Cannot adopt a socket as ${JSON.stringify(as)}: use one of ${
        Object.keys(FITS).join(", ")
      }`,
    );
  }
  if (!FITS[as](held)) {
    throw new TypeError(
      `Cannot adopt a socket as ${as}: it is ${describeKind(held.kind)}`,
    );
  }
  return await MAKE[as](held) as Adopted[As];
}

const MAKE: {
  readonly [As in keyof Adopted]: (
    socket: DetachedSocket,
  ) => Promise<Adopted[As]> | Adopted[As];
} = {
  socket: adoptNode,
  conn: adoptConn,
  listener: adoptListener,
  server: adoptServer,
  datagram: adoptDatagram,
};

function takeNumber(fd: number): DetachedSocket {
  const held = holdAnyFd(fd);
  if (held !== undefined) return held;
  throw badResource(
    `Cannot adopt descriptor ${fd}: it is not a TCP, Unix or UDP socket of this process`,
  );
}

/** The descriptor under another number: handles do not give theirs away. */
function moveOut(socket: DetachedSocket): number {
  const handle: RawHandle = handleIn(socket);
  const fd = handle.fdForIpc();
  if (fd < 0) {
    throw Object.assign(
      new Error(
        "Cannot adopt a socket: this process has no descriptor left: close some, or raise its limit (ulimit -n)",
      ),
      { code: "EMFILE" },
    );
  }
  takeHandle(socket).close();
  return fd;
}

function adoptNode(socket: DetachedSocket): Socket {
  const { unread } = socket;
  const adopted = pausedSocket(moveOut(socket));
  if (unread.byteLength > 0) adopted.unshift(unread);
  return adopted;
}

function pausedSocket(fd: number): Socket {
  const options = {
    fd,
    allowHalfOpen: true,
    // Else it reads ahead at once, and does not go on after a pause().
    pauseOnCreate: true,
  };
  return new Socket(options as SocketConstructorOpts);
}

async function adoptConn(socket: DetachedSocket): Promise<Deno.TcpConn> {
  const { localAddr, remoteAddr, unread } = socket;
  const fd = moveOut(socket);
  const conn = await denoConn(fd, localAddr, remoteAddr) ??
    connFromSocket(pausedSocket(fd), { localAddr, remoteAddr });
  return unread.byteLength === 0 ? conn : new MovedConn(conn, unread);
}

async function adoptListener(
  socket: DetachedSocket,
): Promise<PassableListener<Deno.Addr>> {
  const addr: SocketAddr = socket.localAddr ?? { transport: "unix", path: "" };
  const fd = moveOut(socket);
  return await startListening({ fd, backlog: BACKLOG_DEFAULT }, addr);
}

async function adoptServer(socket: DetachedSocket): Promise<Server> {
  const server = createServer({ allowHalfOpen: true });
  await listenOn(server, moveOut(socket));
  return server;
}

/** Waits until a server listens on a descriptor. */
function listenOn(server: Server, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ fd }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** `bind({ fd })` of Deno 2.9 refuses datagram descriptors; a handle works. */
function adoptDatagram(socket: DetachedSocket): Promise<DatagramSocket> {
  const { localAddr } = socket;
  const v6 = localAddr !== null && "hostname" in localAddr &&
    isIPv6(localAddr.hostname);
  const adopted = createSocket(v6 ? "udp6" : "udp4");
  const handle = takeHandle(socket);
  return new Promise((resolve, reject) => {
    const emitter: EventEmitter = adopted;
    emitter.once("error", reject);
    adopted.bind(handle as never, () => {
      emitter.off("error", reject);
      resolve(adopted);
    });
  });
}
