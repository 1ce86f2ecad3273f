import { dial } from "@holdfast/recovery";
import { reasonOf } from "./_deno.ts";
import { inRange } from "./_options.ts";
import { type TunnelAddress, tunnelAddressText } from "./_tunnel_address.ts";
import { TunnelConnections } from "./_tunnel_connections.ts";
import { readRequest, sendAnswer } from "./_tunnel_hello.ts";
import { TUNNEL_ANSWER } from "./_tunnel_wire.ts";
import type { TransportSource } from "./accept_options.ts";
import { ResumeError } from "./errors.ts";
import type { ResumableConn } from "./resumable_conn.ts";
import { acceptResumable, type ResumeServer } from "./server.ts";
import type { TunnelEvent, TunnelStats } from "./tunnel_events.ts";
import type { ServeTunnelOptions } from "./tunnel_options.ts";
import type { Events } from "@holdfast/events";

// A client that asks for nothing holds a session: not for long.
const REQUEST_MS = 10_000;
const HANDSHAKES_MAX = 256;

/** The end of a tunnel that connects to targets. */
export interface TunnelServer extends Events<TunnelEvent>, AsyncDisposable {
  /** Where it listens, if its source knows. */
  readonly addr: Deno.Addr | undefined;
  /** A snapshot of the counters. */
  stats(): TunnelStats;
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
  source: TransportSource,
  options: ServeTunnelOptions,
): TunnelServer {
  if (options.targets.length === 0) {
    throw new TypeError(
      "Cannot serve a tunnel: there is no target: pass at least one",
    );
  }
  const { targetDeadlineMs = 3_000 } = options;
  inRange("targetDeadlineMs", targetDeadlineMs, 1, 2 ** 31 - 1);
  const { accept = {} } = options;
  const server = acceptResumable(source, {
    ...accept,
    // All connections of a client come from one address, and after a cut at once.
    limits: { handshakesPerAddressMax: HANDSHAKES_MAX, ...accept.limits },
  });
  return new Server(server, options.targets, targetDeadlineMs);
}

class Server extends TunnelConnections implements TunnelServer {
  readonly #server: ResumeServer;
  readonly #targets: ReadonlyMap<string, TunnelAddress>;
  readonly #deadlineMs: number;
  readonly #running: Promise<void>;
  #closed: Promise<void> | undefined;

  constructor(
    server: ResumeServer,
    targets: readonly TunnelAddress[],
    deadlineMs: number,
  ) {
    super(undefined);
    this.#server = server;
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
      this.start((opened) => {
        opened(session);
        return this.#open(session);
      });
    }
  }

  async #open(session: ResumableConn) {
    if (session.restored) {
      // Its target's connection ended with the process that had it.
      throw new ResumeError(
        "resume/target-down",
        "Cannot go on with a tunnelled connection: its target was connected to another process",
      );
    }
    const timer = setTimeout(() => session.abort(), REQUEST_MS);
    const asked = await readRequest(session).finally(() => clearTimeout(timer));
    // Somebody looked whether a server is here.
    if (asked === undefined) return undefined;
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
    const from = session.remoteAddr;
    try {
      const local = await connectTarget(target, this.#deadlineMs);
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
