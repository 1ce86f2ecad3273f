/**
 * TCP connections as descriptors that another process can inherit, and back.
 * Uses internals of Deno's `node:net`, so everything is tested before it is
 * relied on; tests pin them for each version of Deno.
 */
import process from "node:process";

/** What this package uses of the handle behind a `node:net` socket. */
export interface Handle {
  /** A duplicate descriptor that the caller owns; negative when impossible. */
  fdForIpc(): number;
  /** Takes a descriptor over and makes it non-blocking; 0 is success. */
  open(fd: number): number;
  /** Looks at the connection of a resource of Deno's; 0 is success. */
  openFromRid(rid: number): number;
  /** Makes its connection a resource of Deno's. */
  takeStream(): number;
  close(): void;
}

type TcpConnClass = new (
  rid: number,
  remoteAddr: Deno.NetAddr,
  localAddr: Deno.NetAddr,
) => Deno.TcpConn;

const KIND_SOCKET = 0;
const KIND_SERVER = 1;

function newHandle(kind: number): Handle {
  const { binding } = process as unknown as {
    binding(name: string): { readonly TCP: new (kind: number) => Handle };
  };
  const { TCP } = binding.call(process, "tcp_wrap");
  return new TCP(kind);
}

/** Whether this version of Deno, on this system, can pass connections. */
export function canPass(): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    const handle = newHandle(KIND_SOCKET) as Partial<Handle>;
    return typeof handle.fdForIpc === "function" &&
      typeof handle.open === "function" &&
      typeof handle.openFromRid === "function" &&
      typeof handle.takeStream === "function";
  } catch {
    return false;
  }
}

// A second hold on each connection that may be passed on: of one that waits in a
// write Deno gives no descriptor.
const holds: WeakMap<object, Handle> = new WeakMap();

/** Keeps a hold on a `Deno.TcpConn` that is idle; `letGo` ends it. */
export function hold(conn: Deno.TcpConn): void {
  const name = Object.getOwnPropertySymbols(conn)
    .find((symbol) => symbol.description === "Deno.internal.rid");
  if (name === undefined) return;
  const rid = (conn as unknown as Record<symbol, number>)[name]!;
  const handle = newHandle(KIND_SOCKET);
  if (handle.openFromRid(rid) === 0) holds.set(conn, handle);
}

/** Ends the hold; the connection itself is closed by its owner. */
export function letGo(conn: object): void {
  holds.get(conn)?.close();
  holds.delete(conn);
}

/** A new descriptor of a connection that is held; `undefined` for any other. */
export function descriptorOf(conn: object): number | undefined {
  const fd = holds.get(conn)?.fdForIpc() ?? -1;
  return fd < 0 ? undefined : fd;
}

/**
 * Closes a descriptor that was passed to a process, and makes its socket
 * non-blocking again: starting a process clears `O_NONBLOCK`, which all
 * descriptors of a socket share, and this process would hang in its next read.
 */
export function releaseDescriptor(fd: number, listening = false): void {
  const handle = newHandle(listening ? KIND_SERVER : KIND_SOCKET);
  handle.open(fd);
  handle.close();
}

/** Keeps the socket of a listening handle open without accepting from it. */
export function keepListening(from: Handle): Handle | undefined {
  const fd = from.fdForIpc();
  const kept = newHandle(KIND_SERVER);
  return fd < 0 || kept.open(fd) !== 0 ? undefined : kept;
}

/** Makes connections of descriptors and handles. */
export class ConnMaker {
  readonly #class: TcpConnClass;

  private constructor(tcpConn: TcpConnClass) {
    this.#class = tcpConn;
  }

  /** It needs one connection of Deno's own, on loopback, to see how they are made. */
  static async create(): Promise<ConnMaker> {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { hostname, port } = listener.addr;
    using conn = await Deno.connect({ hostname, port });
    return new ConnMaker(conn.constructor as TcpConnClass);
  }

  /** The connection of a handle, which is used up; it is held. */
  fromHandle(
    handle: Handle,
    remote: Deno.NetAddr,
    local: Deno.NetAddr,
  ): Deno.TcpConn {
    const rid = handle.takeStream();
    const conn = new this.#class(rid, remote, local);
    hold(conn);
    return conn;
  }

  /**
   * The connection of an inherited descriptor.
   *
   * @throws {Error} When it is no connection.
   */
  fromDescriptor(fd: number): Deno.TcpConn {
    const handle = newHandle(KIND_SOCKET);
    if (handle.open(fd) !== 0) {
      throw new Error(`Cannot take over descriptor ${fd}: it is no connection`);
    }
    // Nobody asks for its addresses: what there is to know came with it.
    const nowhere: Deno.NetAddr = {
      transport: "tcp",
      hostname: "0.0.0.0",
      port: 0,
    };
    const conn = this.fromHandle(handle, nowhere, nowhere);
    handle.close();
    return conn;
  }
}
