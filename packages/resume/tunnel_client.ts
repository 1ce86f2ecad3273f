import type { Events } from "@holdfast/events";
import { isClosedError, sendAtOnce } from "./_deno.ts";
import { inRange } from "./_options.ts";
import { tunnelAddressText } from "./_tunnel_address.ts";
import {
  type Opening,
  originOf,
  TunnelConnections,
} from "./_tunnel_connections.ts";
import { readAnswer, sendRequest } from "./_tunnel_hello.ts";
import { TunnelSessions } from "./_tunnel_sessions.ts";
import {
  type ConnectionState,
  decodeTunnelState,
  encodeTunnelState,
  type TunnelState,
} from "./_tunnel_state.ts";
import type { Dial } from "./connect_options.ts";
import type { ResumableConn } from "./resumable_conn.ts";
import {
  decodeSnapshot,
  encodeSnapshot,
  type SessionSnapshot,
} from "./snapshot.ts";
import type { TunnelEvent, TunnelStats } from "./tunnel_events.ts";
import type {
  ConnectTunnelOptions,
  LocalConn,
  LocalSource,
} from "./tunnel_options.ts";

// After an accept that failed for want of something, such as descriptors.
const ACCEPT_PAUSE_MS = 50;

/** The end of a tunnel that programs connect to. */
export interface TunnelClient extends Events<TunnelEvent>, AsyncDisposable {
  /** Where it listens, if its source knows. */
  readonly addr: Deno.Addr | undefined;
  /** A snapshot of the counters. */
  stats(): TunnelStats;
  /** Takes no more connections, and resolves once all of them have ended. */
  drain(): Promise<void>;
  /**
   * Prepares for another process to go on with the connections: takes nobody
   * new, and resolves with the programs' connections that it needs. Everything
   * still flows. `resume` takes it back.
   */
  pause(): Promise<LocalConn[]>;
  /** Ends {@linkcode TunnelClient.pause}. */
  resume(): void;
  /**
   * After `pause`: stops everything in this very turn, and gives what the other
   * process needs beside the connections. This one must then end without
   * another turn of its event loop, by `Deno.exit`, and without closing the
   * connections: called from a `setImmediate` it knows of every byte that was
   * read or written. The bytes hold secrets and data.
   */
  suspend(): Uint8Array<ArrayBuffer>;
  /** Ends every connection, and stops listening. */
  close(): Promise<void>;
}

/**
 * Gives programs a place to connect to, from which each of their connections
 * goes through a session of its own to a target of the server; none of them
 * notices when the way there is cut.
 *
 * ```ts
 * import { connectTunnel, serveTunnel } from "@holdfast/resume/tunnel";
 * import { assertEquals } from "@std/assert";
 *
 * const loopback = { hostname: "127.0.0.1", port: 0 };
 * const target = Deno.listen(loopback); // Any program that serves TCP.
 * const middle = Deno.listen(loopback);
 * await using server = serveTunnel(middle, {
 *   targets: [{ transport: "tcp", hostname: "127.0.0.1", port: target.addr.port }],
 * });
 *
 * const entry = Deno.listen(loopback);
 * const { hostname, port } = middle.addr;
 * await using client = connectTunnel(entry, () => Deno.connect({ hostname, port }));
 *
 * const program = await Deno.connect({ hostname, port: entry.addr.port });
 * await program.write(new TextEncoder().encode("hello"));
 * const reached = await target.accept();
 * const into = new Uint8Array(16);
 * assertEquals(await reached.read(into), 5);
 * assertEquals(client.stats().open, 1);
 * assertEquals(server.stats().open, 1);
 * reached.close();
 * program.close();
 * target.close();
 * ```
 *
 * @throws {RangeError} For an option out of range.
 */
export function connectTunnel(
  source: LocalSource,
  dial: Dial,
  options: ConnectTunnelOptions = {},
): TunnelClient {
  return new Client(source, dial, options);
}

class Client extends TunnelConnections implements TunnelClient {
  readonly #source: LocalSource;
  readonly #target: string;
  readonly #sessions: TunnelSessions;
  readonly #stopped = new AbortController();
  readonly #running: Promise<void>;
  #passed: readonly LocalConn[] = [];
  #listening = true;
  #closed: Promise<void> | undefined;

  constructor(source: LocalSource, dial: Dial, options: ConnectTunnelOptions) {
    super(options.connect?.onListenerError);
    this.#source = source;
    this.#target = options.target === undefined
      ? ""
      : tunnelAddressText(options.target);
    const { signal } = this.#stopped;
    const { connect = {}, openDeadlineMs = 10_000 } = options;
    inRange("openDeadlineMs", openDeadlineMs, 0, 2 ** 31 - 1);
    const own = {
      ...connect,
      signal: connect.signal === undefined
        ? signal
        : AbortSignal.any([signal, connect.signal]),
    };
    this.#sessions = new TunnelSessions(dial, own, openDeadlineMs);
    const { predecessor } = options;
    const left = predecessor && decodeTunnelState(predecessor.state);
    this.#running = this.#run(left, predecessor?.connections ?? []);
  }

  get addr(): Deno.Addr | undefined {
    return this.#source.addr;
  }

  async #run(
    left: TunnelState | undefined,
    locals: readonly LocalConn[],
  ): Promise<void> {
    // Not in the constructor: whoever called it must be able to listen first.
    await Promise.resolve();
    if (left !== undefined) this.#restore(left, locals);
    while (this.#listening) {
      try {
        const local = await this.#source.accept();
        if (!this.#listening) return local.close();
        this.#take(local);
      } catch (error) {
        if (!this.#listening || isClosedError(error)) return;
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  #take(local: LocalConn): void {
    sendAtOnce(local);
    (local as Partial<Deno.TcpConn>).setKeepAlive?.(true);
    this.start(async (opened) => {
      const session = await this.#sessions.open();
      opened(session);
      await sendRequest(session, this.#target);
      return this.#opened(session, local, this.#target, originOf(local));
    }, local);
  }

  #opened(
    session: ResumableConn,
    local: LocalConn,
    target: string,
    from: string | undefined,
  ): Opening {
    // What the program says is under way meanwhile.
    const ready = readAnswer(session);
    ready.catch(() => {});
    return { local, target, from, ready };
  }

  #restore(
    { sessions, connections }: TunnelState,
    locals: readonly LocalConn[],
  ): void {
    const bySid = new Map(
      decodeSnapshot(sessions).map((one) => [one.sid.toHex(), one]),
    );
    for (const one of connections) {
      const local = locals[one.index];
      const session = bySid.get(one.sid);
      if (session !== undefined) this.#goOn(session, one, local);
      else if (local !== undefined) this.#take(local);
    }
  }

  #goOn(
    snapshot: SessionSnapshot,
    state: ConnectionState,
    local: LocalConn | undefined,
  ): void {
    this.start((opened) => {
      const { target, from, ttlMs } = state;
      const session = this.#sessions.restore({ session: snapshot, ttlMs });
      opened(session);
      const opening: Opening = local === undefined || state.opened
        ? { local, target, from }
        : this.#opened(session, local, target, from);
      return Promise.resolve({ ...opening, restored: state });
    }, local);
  }

  async pause(): Promise<LocalConn[]> {
    await this.#source.pause?.();
    const passed = this.live.map(({ local }) => local);
    return [...this.#passed = passed.filter((one) => one !== undefined)];
  }

  resume(): void {
    this.#source.resume?.();
  }

  suspend(): Uint8Array<ArrayBuffer> {
    const sessions: SessionSnapshot[] = [];
    const connections = this.states(this.#passed).map(([state, live]) => {
      if (live.session === undefined) return state;
      const suspended = this.#sessions.suspend(live.session);
      sessions.push(suspended.session);
      return { ...state, ttlMs: suspended.ttlMs };
    });
    const bytes = encodeSnapshot(sessions);
    return encodeTunnelState({ sessions: bytes, connections });
  }

  #stopListening(): void {
    if (!this.#listening) return;
    this.#listening = false;
    this.#source.close();
  }

  async drain(): Promise<void> {
    this.#stopListening();
    await this.#running;
    await this.settled();
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#stopListening();
    this.#stopped.abort(
      new DOMException("The tunnel is closed", "AbortError"),
    );
    await this.#running;
    await this.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
