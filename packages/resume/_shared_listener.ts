/** A TCP listener whose socket, and whose connections, another process can have. */
import { AcceptQueue } from "./_accept_queue.ts";
import { createServer, type Server, type Socket } from "node:net";
import { setImmediate } from "node:timers";
import { badResource } from "./_deno.ts";
import { ConnMaker, type Handle, keepListening } from "./_descriptors.ts";
import { closeLocal } from "./_tunnel_pump.ts";
import type { LocalSource } from "./tunnel_options.ts";

const BACKLOG = 511;

/** Where to listen: an address, or a descriptor that listens already. */
export type ListenAt =
  | { readonly hostname: string; readonly port: number }
  | { readonly fd: number };

/** See the module's comment. */
export class SharedListener implements LocalSource {
  readonly addr: Deno.NetAddr;
  readonly #conns: ConnMaker;
  readonly #kept: Handle;
  readonly #queue = new AcceptQueue<Deno.TcpConn>();
  #server: Server | undefined;
  #closed = false;

  private constructor(server: Server, conns: ConnMaker, kept: Handle) {
    const { address, port } = server.address() as {
      readonly address: string;
      readonly port: number;
    };
    this.addr = { transport: "tcp", hostname: address, port };
    this.#conns = conns;
    this.#kept = kept;
    this.#accept(server);
  }

  /**
   * Listens.
   *
   * @throws {Deno.errors.AddrInUse} When another program has the port.
   */
  static async listen(at: ListenAt): Promise<SharedListener> {
    const conns = await ConnMaker.create();
    const server = newServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(asDenoError(error)));
      const where = "fd" in at ? at : { host: at.hostname, port: at.port };
      server.listen({ ...where, backlog: BACKLOG }, resolve);
    });
    const { _handle } = server as unknown as { readonly _handle: Handle };
    const kept = keepListening(_handle);
    if (kept === undefined) {
      server.close();
      throw new Error("the system gives no descriptor of it");
    }
    return new SharedListener(server, conns, kept);
  }

  /** A descriptor of the socket, for a process that is started. */
  descriptor(): number {
    return this.#kept.fdForIpc();
  }

  async accept(): Promise<Deno.TcpConn> {
    const conn = await this.#queue.next();
    if (conn === undefined) throw badResource();
    return conn;
  }

  // In a later turn: Deno accepts a whole burst before it tells of the first
  // connection, and a server that is closed in between loses the rest.
  pause(): Promise<void> {
    return new Promise((resolve) =>
      setImmediate(() => {
        this.#server?.close();
        this.#server = undefined;
        // Who came with the last burst is taken first.
        setImmediate(resolve);
      })
    );
  }

  resume(): void {
    if (this.#closed || this.#server !== undefined) return;
    const server = newServer();
    server.listen({ fd: this.#kept.fdForIpc(), backlog: BACKLOG });
    this.#accept(server);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#kept.close();
    void this.pause();
    this.#queue.end();
    for (const conn of this.#queue.takeAll()) closeLocal(conn);
  }

  #accept(server: Server): void {
    this.#server = server;
    server.on("connection", (socket) => this.#take(socket));
    server.on("error", () => {}); // As when accept fails for a while.
  }

  #take(socket: Socket): void {
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    // Who has none has hung up already.
    if (remoteAddress === undefined) return void socket.destroy();
    const address = (hostname = "", port = 0): Deno.NetAddr => {
      return { transport: "tcp", hostname, port };
    };
    const { _handle } = socket as unknown as { readonly _handle: Handle };
    const conn = this.#conns.fromHandle(
      _handle,
      address(remoteAddress, remotePort),
      address(localAddress, localPort),
    );
    socket.destroy(); // An empty shell now.
    if (this.#closed) return closeLocal(conn);
    this.#queue.push(conn);
  }
}

function newServer(): Server {
  return createServer({ pauseOnConnect: true, allowHalfOpen: true });
}

function asDenoError(error: Error & { readonly code?: string }): Error {
  switch (error.code) {
    case "EADDRINUSE":
      return new Deno.errors.AddrInUse(error.message);
    case "EADDRNOTAVAIL":
      return new Deno.errors.AddrNotAvailable(error.message);
    case "EACCES":
      return new Deno.errors.PermissionDenied(error.message);
    default:
      return error;
  }
}
