import { readableOf } from "./_byte_stream.ts";
import type { Socket } from "node:net";
import { SocketDuplex } from "./_duplex.ts";
import { badResource } from "./_os_errors.ts";

// Outside the class, so that they are no part of its API.
const inside: WeakMap<SocketConn, { socket: Socket; duplex: SocketDuplex }> =
  new WeakMap();

/** Addresses of a socket that `node:net` does not know, as of a Unix one. */
export interface SocketConnAddrs {
  /** Its own address. */
  readonly localAddr?: Deno.NetAddr | Deno.UnixAddr | null | undefined;
  /** Its peer's address. */
  readonly remoteAddr?: Deno.NetAddr | Deno.UnixAddr | null | undefined;
}

/**
 * A TCP connection over a `node:net` socket that behaves as `Deno.TcpConn`
 * does: the same results, the same error classes, at the same moments.
 *
 * It differs in this:
 *
 * - `write` writes everything and resolves when the kernel has it; a
 *   `Deno.TcpConn` may write less.
 * - Nagle's algorithm is off from the start, as in most servers.
 * - A connection that breaks while a write is pending is closed at once: bytes
 *   that the kernel had received and nobody read are gone with it.
 */
export class SocketConn implements Deno.TcpConn {
  /** The address of this end. */
  readonly localAddr: Deno.NetAddr;
  /** The address of the other end. */
  readonly remoteAddr: Deno.NetAddr;
  readonly #socket: Socket;
  readonly #duplex: SocketDuplex;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #writable: WritableStream<Uint8Array<ArrayBufferLike>> | undefined;

  /** Takes the socket over; see {@linkcode connFromSocket}. */
  constructor(socket: Socket, addrs: SocketConnAddrs = {}) {
    this.#socket = socket;
    this.#duplex = new SocketDuplex(socket);
    inside.set(this, { socket, duplex: this.#duplex });
    // Kept here: the socket forgets them when it closes.
    const { localAddr, remoteAddr } = addrs;
    this.localAddr = localAddr as Deno.NetAddr ??
      netAddr(socket.localAddress, socket.localPort);
    this.remoteAddr = remoteAddr as Deno.NetAddr ??
      netAddr(socket.remoteAddress, socket.remotePort);
    socket.setNoDelay(true);
  }

  /**
   * Reads what is there, waiting for at least one byte; `null` at the end.
   *
   * @throws {Deno.errors.Interrupted} When the connection is closed meanwhile.
   * @throws {Deno.errors.BadResource} When it was closed before.
   */
  read(p: Uint8Array): Promise<number | null> {
    return this.#duplex.read(p);
  }

  /** Writes all of `p`; resolves when the kernel has it. */
  write(p: Uint8Array): Promise<number> {
    return this.#duplex.write(p);
  }

  /** Ends the writing side: the peer reads the end, and may still write. */
  closeWrite(): Promise<void> {
    return this.#duplex.closeWrite();
  }

  /**
   * Closes the connection; what is pending rejects with `Interrupted`.
   *
   * @throws {Deno.errors.BadResource} When it is closed already.
   */
  close(): void {
    this.#duplex.close();
  }

  /** The bytes to come. Its end closes the connection, as in `Deno.TcpConn`. */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= readableOf(this);
  }

  /** Takes bytes. Its end closes the connection, as in `Deno.TcpConn`. */
  get writable(): WritableStream<Uint8Array<ArrayBufferLike>> {
    return this.#writable ??= new WritableStream({
      write: async (chunk) => void await this.write(chunk),
      close: () => this[Symbol.dispose](),
      abort: () => this[Symbol.dispose](),
    });
  }

  /** Turns Nagle's algorithm off (`true`) or on. */
  setNoDelay(noDelay: boolean = true): void {
    this.#open().setNoDelay(noDelay);
  }

  /** Turns TCP keep-alive probes on (`true`) or off. */
  setKeepAlive(keepAlive: boolean = true): void {
    this.#open().setKeepAlive(keepAlive);
  }

  /** Keeps the event loop alive while an operation is pending. */
  ref(): void {
    this.#duplex.ref();
  }

  /** Lets the event loop end in spite of a pending operation. */
  unref(): void {
    this.#duplex.unref();
  }

  /** Closes the connection if it is open. */
  [Symbol.dispose](): void {
    if (!this.#duplex.closed) this.close();
  }

  #open(): Socket {
    if (this.#duplex.closed) throw badResource();
    return this.#socket;
  }
}

/**
 * Takes a connected `node:net` socket that nobody has read from, and gives it
 * the interface of `Deno.TcpConn`. Use the connection and leave the socket
 * alone from then on.
 *
 * With `node:net` a program can choose the address to connect from, which
 * `Deno.connect` does not offer.
 *
 * @example
 * ```ts
 * import { connect } from "node:net";
 * import { connFromSocket, listen } from "@holdfast/handoff";
 * import { assertEquals } from "@std/assert";
 *
 * using listener = await listen({ port: 0 });
 * const accepted = listener.accept();
 * const socket = connect({
 *   host: "127.0.0.1",
 *   port: listener.addr.port,
 *   localAddress: "127.0.0.1",
 * });
 * await new Promise((resolve, reject) => {
 *   socket.once("connect", resolve).once("error", reject);
 * });
 * using conn = connFromSocket(socket);
 * using peer = await accepted;
 * assertEquals(peer.remoteAddr, conn.localAddr);
 * ```
 *
 * @throws {TypeError} When the socket is not connected.
 */
export function connFromSocket(
  socket: Socket,
  addrs: SocketConnAddrs = {},
): SocketConn {
  if (socket.connecting || socket.destroyed) {
    throw new TypeError(
      `Cannot take a socket: it is ${
        socket.connecting ? "still connecting" : "closed"
      }: wait for its "connect" event`,
    );
  }
  return new SocketConn(socket, addrs);
}

/** For `detach`: what a connection is made of. */
export function partsOf(
  conn: SocketConn,
): { readonly socket: Socket; readonly duplex: SocketDuplex } {
  return inside.get(conn)!;
}

function netAddr(
  hostname: string | undefined,
  port: number | undefined,
): Deno.NetAddr {
  return { hostname: hostname ?? "", port: port ?? 0, transport: "tcp" };
}
