import { createServer, type Server, type Socket } from "node:net";
import { clearImmediate, setImmediate } from "node:timers";
import { KeptSocket } from "./_kept_socket.ts";
import { notSupported } from "./_not_supported.ts";
import { badResource, toDenoError } from "./_os_errors.ts";
import type { SocketAddr } from "./_socket_kind.ts";
import { SocketConn } from "./socket_conn.ts";

/** Connections accepted and not yet taken, past which accepting stops. */
const UNTAKEN_MAX = 16;

// Outside the class, so that the sockets themselves are no part of its API.
const keptSockets: WeakMap<PassableListener<Deno.Addr>, KeptSocket> =
  new WeakMap();

/** A server that accepts from a listener's socket in its own way. */
export interface Consumer {
  /** Resolves when it accepts nothing more. */
  pause(): Promise<void>;
  resume(): void;
}

const consumersOf: WeakMap<PassableListener<Deno.Addr>, Set<Consumer>> =
  new WeakMap();

/** For this package: lets a server follow `pause` and `resume`. */
export function consume(
  listener: PassableListener<Deno.Addr>,
  consumer: Consumer,
): void {
  const consumers = consumersOf.get(listener) ?? new Set();
  consumersOf.set(listener, consumers.add(consumer));
  if (!listener.paused) consumer.resume();
}

interface Waiter {
  resolve(conn: SocketConn): void;
  reject(error: Error): void;
}

/** An acceptor that is about to be closed. */
interface Stopping {
  readonly done: Promise<void>;
  cancel(): void;
}

/**
 * A listening TCP or Unix socket that behaves as `Deno.TcpListener` does and
 * that can be passed to another process.
 *
 * It accepts on demand. Nobody accepts from the kernel's queue before the
 * first `accept()`, while {@linkcode pause} is in effect, or while 16
 * connections wait to be taken. What waits in the kernel's queue belongs to
 * every process that has the socket, and survives each of them.
 */
export class PassableListener<A extends Deno.Addr = Deno.NetAddr>
  implements Deno.Listener<SocketConn, A> {
  /** The address it listens on; a port of 0 has become the real one. */
  readonly addr: A;
  readonly #kept: KeptSocket | undefined;
  readonly #backlog: number;
  readonly #untaken: SocketConn[] = [];
  #acceptor: Server | undefined;
  #stopping: Stopping | undefined;
  #waiter: Waiter | undefined;
  #paused = false;
  #retired = false;
  #closed = false;
  #ref = true;

  /** Takes over a server that began to listen in this very turn; see `listen`. */
  constructor(server: Server, backlog: number, addr: A) {
    this.addr = addr;
    this.#backlog = backlog;
    this.#kept = KeptSocket.from(server);
    if (this.#kept !== undefined) {
      keptSockets.set(this, this.#kept);
      // In the turn in which it began to listen: it has accepted nothing yet.
      server.close();
      return;
    }
    // Not passable here, and no way to stop accepting: still a listener.
    this.#acceptor = server;
    server.on("connection", this.#onConnection);
  }

  /** Whether it can be passed to another process on this system. */
  get passable(): boolean {
    return this.#kept !== undefined;
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Whether {@linkcode pause} is in effect. */
  get paused(): boolean {
    return this.#paused;
  }

  /**
   * Takes the next connection.
   *
   * @throws {Deno.errors.BadResource} When the listener is closed, before or
   *   meanwhile.
   * @throws {Deno.errors.Busy} When another `accept` is pending.
   */
  accept(): Promise<SocketConn> {
    if (this.#closed) return Promise.reject(listenerClosed());
    if (this.#waiter !== undefined) {
      return Promise.reject(
        new Deno.errors.Busy("Another accept task is ongoing"),
      );
    }
    const untaken = this.#untaken.shift();
    if (untaken !== undefined) {
      if (this.#retired && this.#untaken.length === 0) this.close();
      return Promise.resolve(untaken);
    }
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      this.#updateRef();
      this.#start();
    });
  }

  /**
   * Stops accepting without closing the socket: clients wait in the kernel's
   * queue, for this process or another that has the socket.
   *
   * Resolves when nothing more is accepted. What was accepted by then has been
   * given to an `accept` that waited, or is given to the next ones.
   */
  async pause(): Promise<void> {
    this.#paused = true;
    this.#stopSoon();
    const consumers = consumersOf.get(this) ?? [];
    await Promise.all([...consumers].map((consumer) => consumer.pause()));
    await this.#stopping?.done;
  }

  /** Ends {@linkcode pause}. */
  resume(): void {
    this.#paused = false;
    if (this.#waiter !== undefined) this.#start();
    for (const consumer of consumersOf.get(this) ?? []) consumer.resume();
  }

  /**
   * Closes this process's hold on the socket. A pending `accept` rejects, an
   * iteration ends, and connections that nobody took are closed.
   *
   * @throws {Deno.errors.BadResource} When it is closed already.
   */
  close(): void {
    if (this.#closed) throw badResource();
    this.#closed = true;
    keptSockets.delete(this);
    if (!this.#retired) this.#kept?.close();
    this.#stopSoon();
    for (const conn of this.#untaken.splice(0)) conn.close();
    this.#waiter?.reject(listenerClosed());
    this.#waiter = undefined;
  }

  /**
   * Lets go of the socket, which another process has by now. Connections that
   * were accepted here are still given to the next `accept`s; then it counts
   * as closed. `detach` calls this.
   */
  retire(): void {
    if (this.#closed) return;
    keptSockets.delete(this);
    this.#kept?.close();
    this.#paused = true;
    this.#retired = true;
    this.#stopSoon();
    if (this.#untaken.length === 0) this.close();
  }

  /** Keeps the event loop alive while an `accept` is pending (the default). */
  ref(): void {
    this.#ref = true;
    this.#updateRef();
  }

  /** Lets the event loop end in spite of a pending `accept`. */
  unref(): void {
    this.#ref = false;
    this.#updateRef();
  }

  /** The connections one after the other, until the listener is closed. */
  [Symbol.asyncIterator](): AsyncIterableIterator<SocketConn> {
    return {
      next: async () => {
        try {
          return { done: false, value: await this.accept() };
        } catch (error) {
          if (!(error instanceof Deno.errors.BadResource)) throw error;
          return { done: true, value: undefined };
        }
      },
      // As in Deno: leaving the loop closes the listener.
      return: (value) => {
        this[Symbol.dispose]();
        return Promise.resolve({ done: true, value });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Closes the listener if it is open. */
  [Symbol.dispose](): void {
    if (!this.#closed) this.close();
  }

  #start(): void {
    if (this.#paused || this.#closed || this.#kept === undefined) return;
    this.#stopping?.cancel();
    this.#stopping = undefined;
    if (this.#acceptor !== undefined) return;
    let fd: number;
    try {
      fd = this.#kept.duplicate();
    } catch (error) {
      this.#failAccept(error as Error);
      return;
    }
    const acceptor = createServer({
      pauseOnConnect: true,
      allowHalfOpen: true,
    });
    acceptor.on("connection", this.#onConnection);
    acceptor.on("error", (error) => {
      if (this.#acceptor === acceptor) this.#acceptor = undefined;
      this.#failAccept(toDenoError(error));
    });
    this.#acceptor = acceptor;
    acceptor.listen({ fd, backlog: this.#backlog });
    this.#updateRef();
  }

  /**
   * Stops accepting in a later turn, never in this one: Deno accepts a whole
   * burst before it tells of the first connection, and a server closed in
   * between loses the rest (measured with 2.9.6).
   */
  #stopSoon(): void {
    if (this.#acceptor === undefined || this.#stopping !== undefined) return;
    if (this.#kept === undefined && !this.#closed) return;
    const done = Promise.withResolvers<void>();
    const timer = setImmediate(() => {
      this.#stopping = undefined;
      this.#acceptor?.close();
      this.#acceptor = undefined;
      done.resolve();
    });
    const cancel = (): void => {
      clearImmediate(timer);
      done.resolve();
    };
    this.#stopping = { done: done.promise, cancel };
  }

  readonly #onConnection = (socket: Socket): void => {
    const conn = new SocketConn(socket, this.#connAddrs);
    if (this.#closed) return conn.close();
    const waiter = this.#waiter;
    if (waiter !== undefined) {
      this.#waiter = undefined;
      this.#updateRef();
      return waiter.resolve(conn);
    }
    this.#untaken.push(conn);
    if (this.#untaken.length >= UNTAKEN_MAX) this.#stopSoon();
  };

  /** The addresses of a connection, where its socket has none: Unix. */
  get #connAddrs(): { localAddr?: SocketAddr } | undefined {
    const addr: Deno.Addr = this.addr;
    return addr.transport === "unix" ? { localAddr: addr } : undefined;
  }

  #failAccept(error: Error): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.reject(error);
  }

  #updateRef(): void {
    const needed = this.#ref && this.#waiter !== undefined;
    if (needed) this.#acceptor?.ref();
    else this.#acceptor?.unref();
  }
}

/**
 * The socket itself, for the code of this package.
 *
 * @throws {HandoffError} Where this system cannot pass sockets.
 */
export function keptSocketOf(
  listener: PassableListener<Deno.Addr>,
): KeptSocket {
  const kept = keptSockets.get(listener);
  if (kept !== undefined) return kept;
  throw listener.passable ? listenerClosed() : notSupported("pass a listener");
}

function listenerClosed(): Error {
  return badResource("Listener has been closed");
}
