import { dial } from "@holdfast/recovery";
import { reasonOf } from "./_deno.ts";
import { inRange } from "./_options.ts";
import { type TunnelAddress, tunnelAddressText } from "./_tunnel_address.ts";
import {
  type Live,
  type Opening,
  originOf,
  TunnelConnections,
} from "./_tunnel_connections.ts";
import {
  type ConnectionState,
  decodeTunnelState,
  encodeTunnelState,
  type TunnelState,
} from "./_tunnel_state.ts";
import { readRequest, sendAnswer } from "./_tunnel_hello.ts";
import { hold } from "./_descriptors.ts";
import { TUNNEL_ANSWER } from "./_tunnel_wire.ts";
import type { TransportSource } from "./accept_options.ts";
import { ResumeError } from "./errors.ts";
import type { ResumableConn } from "./resumable_conn.ts";
import { acceptResumable, type ResumeServer, suspendAtOnce } from "./server.ts";
import type { TunnelEvent, TunnelStats } from "./tunnel_events.ts";
import {
  HOLDS_TARGETS,
  type LocalConn,
  type LocalSource,
  type ServeTunnelOptions,
} from "./tunnel_options.ts";
import type { Events } from "@holdfast/events";

// A client that asks for nothing holds a session: not for long.
const REQUEST_MS = 10_000;
const HANDSHAKES_MAX = 256;
// What an answer to a client may take beside the time to reach a target.
const PAUSE_MS = 1_000;

/** The end of a tunnel that connects to targets. */
export interface TunnelServer extends Events<TunnelEvent>, AsyncDisposable {
  /** Where it listens, if its source knows. */
  readonly addr: Deno.Addr | undefined;
  /** A snapshot of the counters. */
  stats(): TunnelStats;
  /**
   * Prepares for another process to go on with the connections: takes nobody
   * new, and resolves with the programs' connections that it needs. Everything
   * still flows. `resume` takes it back.
   */
  pause(): Promise<LocalConn[]>;
  /** Ends {@linkcode TunnelServer.pause}. */
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
 * Serves a tunnel: each session that a client opens becomes one connection to
 * a target. Without `presharedKey` in `accept`, and without TLS below, whoever
 * reaches the listener reaches the targets. See {@linkcode connectTunnel} for
 * an example of both ends.
 *
 * @throws {TypeError} When there is no target.
 * @throws {RangeError} For an option out of range.
 */
export function serveTunnel(
  source: TransportSource & Pick<LocalSource, "pause" | "resume">,
  options: ServeTunnelOptions,
): TunnelServer {
  if (options.targets.length === 0) {
    throw new TypeError(
      "Cannot serve a tunnel: there is no target: pass at least one",
    );
  }
  const { targetDeadlineMs = 3_000 } = options;
  inRange("targetDeadlineMs", targetDeadlineMs, 1, 2 ** 31 - 1);
  const { accept = {}, predecessor } = options;
  const left = predecessor && {
    ...decodeTunnelState(predecessor.state),
    locals: predecessor.connections,
  };
  const server = acceptResumable(source, {
    ...accept,
    ...(left && { restore: left.sessions }),
    // All connections of a client come from one address, and after a cut at once.
    limits: { handshakesPerAddressMax: HANDSHAKES_MAX, ...accept.limits },
  });
  const holds = HOLDS_TARGETS in options;
  const { targets } = options;
  return new Server(source, server, targets, targetDeadlineMs, left, holds);
}

/** What the process before left. */
interface Left extends TunnelState {
  readonly locals: readonly LocalConn[];
}

class Server extends TunnelConnections implements TunnelServer {
  readonly #source: Pick<LocalSource, "pause" | "resume">;
  readonly #server: ResumeServer;
  readonly #left: Map<string, ConnectionState>;
  readonly #locals: readonly LocalConn[];
  readonly #holds: boolean;
  #passed: readonly LocalConn[] = [];
  #paused: PromiseWithResolvers<void> | undefined;
  readonly #targets: ReadonlyMap<string, TunnelAddress>;
  readonly #deadlineMs: number;
  readonly #running: Promise<void>;
  #closed: Promise<void> | undefined;

  constructor(
    source: TransportSource & Pick<LocalSource, "pause" | "resume">,
    server: ResumeServer,
    targets: readonly TunnelAddress[],
    deadlineMs: number,
    left: Left | undefined,
    holds: boolean,
  ) {
    super(undefined);
    this.#holds = holds;
    this.#source = source;
    this.#server = server;
    this.#locals = left?.locals ?? [];
    this.#left = new Map(left?.connections.map((one) => [one.sid, one]));
    this.#targets = new Map(
      targets.map((one) => [tunnelAddressText(one), one]),
    );
    this.#deadlineMs = deadlineMs;
    server.on("handshake-refused", (event) => this.emit(event));
    this.#running = this.#run();
  }

  get addr(): Deno.Addr | undefined {
    return this.#server.addr;
  }

  async #run(): Promise<void> {
    for await (const session of this.#server) {
      this.start((opened, live) => {
        opened(session);
        return this.#open(session, live);
      });
    }
  }

  async #open(
    session: ResumableConn,
    live: Live,
  ): Promise<Opening | undefined> {
    const before = this.#left.get(session.sid);
    this.#left.delete(session.sid);
    if (before?.opened) return this.#goOn(before);
    if (session.restored && before === undefined) {
      // Its target's connection ended with the process that had it.
      throw new ResumeError(
        "resume/target-down",
        "Cannot go on with a tunnelled connection: its target was connected to another process",
      );
    }
    const asked = before?.asked ?? await this.#request(session);
    // Somebody looked whether a server is here.
    if (asked === undefined) return undefined;
    live.asked = asked;
    // From here on it could not be passed on before it is done.
    await this.#paused?.promise;
    live.reaching = true;
    try {
      return await this.#reach(session, asked);
    } finally {
      live.reaching = false;
    }
  }

  #request(session: ResumableConn): Promise<string | undefined> {
    // Who is cut off just then may take as long as any other.
    const timer = setInterval(() => {
      if (session.state.name !== "detached") session.abort();
    }, REQUEST_MS);
    return readRequest(session).finally(() => clearInterval(timer));
  }

  async #reach(session: ResumableConn, asked: string): Promise<Opening> {
    const target = asked === ""
      ? this.#targets.values().next().value!
      : this.#targets.get(asked);
    if (target === undefined) {
      const why =
        `Cannot open a tunnel to ${asked}: the server does not allow it: name it there by --to`;
      await this.#refuse(session, TUNNEL_ANSWER.notAllowed, why);
      throw new ResumeError("resume/target-denied", why);
    }
    const name = tunnelAddressText(target);
    const from = originOf(session);
    try {
      const local = await connectTarget(target, this.#deadlineMs);
      if (this.#holds && target.transport === "tcp") {
        hold(local as Deno.TcpConn);
      }
      await sendAnswer(session, TUNNEL_ANSWER.open);
      return { local, target: name, from };
    } catch (error) {
      const why =
        `Cannot open a tunnel to ${name}: the server cannot reach it: ${
          reasonOf(error)
        }`;
      await this.#refuse(session, TUNNEL_ANSWER.down, why);
      throw new ResumeError("resume/target-down", why, { cause: error });
    }
  }

  #goOn(state: ConnectionState): Opening {
    const { target, from, index } = state;
    return { local: this.#locals[index], target, from, restored: state };
  }

  async pause(): Promise<LocalConn[]> {
    this.#paused ??= Promise.withResolvers();
    await this.#source.pause?.();
    await this.until(({ reaching }) => reaching, this.#deadlineMs + PAUSE_MS);
    const passed = this.live.map(({ local }) => local);
    return [...this.#passed = passed.filter((one) => one !== undefined)];
  }

  resume(): void {
    this.#paused?.resolve();
    this.#paused = undefined;
    this.#source.resume?.();
  }

  suspend(): Uint8Array<ArrayBuffer> {
    const connections = this.states(this.#passed).map(([state]) => state);
    const sessions = suspendAtOnce(this.#server);
    return encodeTunnelState({ sessions, connections });
  }

  // Said in full before the session ends: the client tells its user.
  async #refuse(session: ResumableConn, code: number, why: string) {
    await sendAnswer(session, code, why);
    session.close();
    await session.closed;
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.#server.close();
    await this.#running;
    await this.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function connectTarget(
  target: TunnelAddress,
  deadlineMs: number,
): Promise<Deno.Conn> {
  if (target.transport === "unix") {
    return await Deno.connect({ transport: "unix", path: target.path });
  }
  const { hostname, port } = target;
  const conn = await dial({ hostname, port }, { deadlineMs });
  conn.setNoDelay(true);
  // A target that vanished without a word: the kernel finds out, some time.
  conn.setKeepAlive(true);
  return conn;
}
