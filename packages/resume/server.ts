import { Emitter, EventReader } from "@holdfast/events/emitter";
import { withDeadline } from "./_deadline.ts";
import { addressText } from "./_deno.ts";
import { HandshakeIo } from "./_handshake_io.ts";
import {
  decoyKeys,
  grantResume,
  type Opening,
  provesSession,
  readOpening,
  refuse,
  refuseProven,
  welcome,
} from "./_handshake_server.ts";
import { randomBytes } from "./_keys.ts";
import {
  inRange,
  type StreamOptions,
  type StreamSettings,
  streamSettings,
} from "./_options.ts";
import { closeQuietly } from "./_pipe.ts";
import {
  type Bytes,
  type NewRecord,
  REFUSAL,
  type ResumeRecord,
} from "./_records.ts";
import { type Session, Sessions } from "./_sessions.ts";
import { StreamCore } from "./_stream_core.ts";
import { ResumeError } from "./errors.ts";
import type { ResumeServerEvent } from "./events.ts";
import type { ResumableConn } from "./resumable_conn.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot.ts";
import type { Transport } from "./transport.ts";

/** Where a server's transports come from: a `Deno.Listener`, or anything like it. */
export interface TransportSource {
  /** The next transport. Rejects for good once the source is closed. */
  accept(): Promise<Transport>;
  /** Ends the source. */
  close(): void;
  /** The address it listens on, if it has one. */
  readonly addr?: Deno.Addr | undefined;
}

/** Limits of a server; what goes beyond is refused, and live sessions are not harmed. */
export interface ServerLimits {
  /**
   * How many sessions there may be, attached or not.
   *
   * @default {10_000}
   */
  readonly sessionsMax?: number | undefined;
  /**
   * How many handshakes may be under way.
   *
   * @default {256}
   */
  readonly handshakesMax?: number | undefined;
}

/** Options for {@linkcode acceptResumable}. */
export interface AcceptOptions extends StreamOptions {
  /** Closes the server when aborted. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long a session without a transport is kept, in milliseconds.
   *
   * @default {120_000}
   */
  readonly ttlMs?: number | undefined;
  /**
   * Finds the pre-shared key of a name that a client sent. With it, sessions
   * without a key that it knows are refused.
   */
  readonly presharedKey?:
    | ((
      keyId: Uint8Array<ArrayBuffer>,
    ) =>
      | Uint8Array<ArrayBuffer>
      | undefined
      | Promise<Uint8Array<ArrayBuffer> | undefined>)
    | undefined;
  /** See {@linkcode ServerLimits}. */
  readonly limits?: ServerLimits | undefined;
  /** Sessions of {@linkcode ResumeServer.suspend}, to go on with. */
  readonly restore?: Uint8Array | undefined;
}

// After an accept that failed for want of something, such as descriptors.
const ACCEPT_PAUSE_MS = 50;
const BUSY_RETRY_MS = 1_000;

/**
 * Serves resumable byte streams over the transports of a listener. See
 * `connectResumable` for the other side, with an example of both.
 *
 * @throws {RangeError} For an option out of range.
 * @throws {ResumeError} `resume/snapshot` when `restore` is not usable.
 */
export function acceptResumable(
  source: TransportSource,
  options: AcceptOptions = {},
): ResumeServer {
  return new ResumeServer(source, options);
}

/** A server of resumable streams; iterate over it for its connections. */
export class ResumeServer extends EventReader<ResumeServerEvent>
  implements AsyncDisposable {
  readonly #emitter: Emitter<ResumeServerEvent>;
  readonly #source: TransportSource;
  readonly #options: AcceptOptions;
  readonly #settings: StreamSettings;
  readonly #ttlMs: number;
  readonly #sessionsMax: number;
  readonly #handshakesMax: number;
  readonly #sessions: Sessions;
  readonly #stopped = new AbortController();
  readonly #queue: ResumableConn[] = [];
  readonly #waiting: ((conn: ResumableConn | undefined) => void)[] = [];
  readonly #handshakes = new Set<Promise<void>>();
  readonly #running: Promise<void>;
  #closed: Promise<void> | undefined;

  /** See {@linkcode acceptResumable}. */
  constructor(source: TransportSource, options: AcceptOptions) {
    const emitter = new Emitter<ResumeServerEvent>({
      onListenerError: options.onListenerError,
    });
    super(emitter);
    this.#emitter = emitter;
    this.#source = source;
    this.#options = options;
    this.#settings = streamSettings(options);
    this.#ttlMs = inRange("ttlMs", options.ttlMs ?? 120_000, 1, 2 ** 31 - 1);
    const { sessionsMax = 10_000, handshakesMax = 256 } = options.limits ?? {};
    this.#sessionsMax = inRange("sessionsMax", sessionsMax, 1, 1e7);
    this.#handshakesMax = inRange("handshakesMax", handshakesMax, 1, 1e6);
    this.#sessions = new Sessions(this.#settings, this.#ttlMs, {
      ended: (sid, reason) =>
        this.#emitter.emit({ type: "session-ended", sid, reason }),
    }, options.onListenerError);
    const snapshots = options.restore === undefined
      ? []
      : decodeSnapshot(options.restore);
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#running = this.#run(snapshots);
    if (options.signal?.aborted) this.#onAbort();
  }

  readonly #onAbort = (): void => void this.close();

  /** The address of the listener. */
  get addr(): Deno.Addr | undefined {
    return this.#source.addr;
  }

  /** How many sessions there are, attached or not. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /**
   * The next connection: one for each session that a client opens, and one for
   * each that was restored.
   *
   * @throws {ResumeError} `resume/server-closed` once the server was closed or suspended.
   */
  async accept(): Promise<ResumableConn> {
    const conn = this.#queue.shift() ?? await this.#next();
    if (conn !== undefined) return conn;
    throw new ResumeError(
      "resume/server-closed",
      "Cannot accept: the server is closed",
    );
  }

  #next(): Promise<ResumableConn | undefined> {
    if (this.#stopped.signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The connections as they come; ends when the server is closed or suspended. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<ResumableConn> {
    for (;;) {
      const conn = this.#queue.shift() ?? await this.#next();
      if (conn === undefined) return;
      yield conn;
    }
  }

  /**
   * Stops everything and gives the sessions as bytes, for another process to go
   * on with: pass them to `acceptResumable` as `restore`. Connections reject
   * with `resume/suspended`; their `bytesRead` and `bytesWritten` tell where
   * the program stands. The listener stays open. The bytes hold the sessions'
   * secrets and data: give them to nobody else.
   */
  async suspend(): Promise<Uint8Array<ArrayBuffer>> {
    this.#stop();
    await Promise.all(this.#handshakes);
    return encodeSnapshot(this.#sessions.suspend());
  }

  /** Closes the listener and ends every session. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    const suspended = this.#stopped.signal.aborted;
    this.#stop();
    this.#sessions.shutDown();
    await Promise.all(this.#handshakes);
    if (!suspended) {
      closeQuietly(this.#source);
      await this.#running;
    }
    this.#emitter[Symbol.dispose]();
  }

  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #stop(): void {
    this.#stopped.abort(new DOMException("The server is closed", "AbortError"));
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    for (const waiter of this.#waiting.splice(0)) waiter(undefined);
  }

  async #run(snapshots: ReturnType<typeof decodeSnapshot>): Promise<void> {
    // Before the first transport: a client must find its session at once.
    for (const snapshot of snapshots) {
      this.#offer(await this.#sessions.restore(snapshot));
    }
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        const transport = await this.#source.accept();
        if (signal.aborted) closeQuietly(transport);
        else this.#start(transport);
      } catch (error) {
        if (signal.aborted || isClosed(error)) return;
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  #start(transport: Transport): void {
    if (this.#handshakes.size >= this.#handshakesMax) {
      this.#refused("too many handshakes under way", transport);
      return closeQuietly(transport);
    }
    const handshake = this.#handshake(transport).catch((error) => {
      closeQuietly(transport);
      this.#refused(
        error instanceof Error ? error.message : String(error),
        transport,
      );
    });
    this.#handshakes.add(handshake);
    void handshake.finally(() => this.#handshakes.delete(handshake));
  }

  #refused(reason: string, transport: Transport): void {
    const remote = addressText(transport.remoteAddr);
    this.#emitter.emit({ type: "handshake-refused", reason, remote });
  }

  #handshake(transport: Transport): Promise<void> {
    const io = new HandshakeIo(transport);
    return withDeadline(
      transport,
      this.#settings.handshakeTimeoutMs,
      this.#stopped.signal,
      async () => {
        const opening = await readOpening(io);
        if (opening === "version") {
          await refuse(io, REFUSAL.version);
          throw new Error("no protocol version in common");
        }
        if (opening.record.kind === "new") {
          await this.#open(io, opening as Opening<NewRecord>);
        } else {
          await this.#resume(io, opening as Opening<ResumeRecord>);
        }
      },
    );
  }

  async #open(io: HandshakeIo, opening: Opening<NewRecord>): Promise<void> {
    if (this.#sessions.size >= this.#sessionsMax) {
      await refuse(io, REFUSAL.busy, BUSY_RETRY_MS);
      throw new Error("too many sessions");
    }
    const { keyId, limit } = opening.record;
    const core = new StreamCore(this.#settings);
    const told = core.position;
    const sid = randomBytes(16);
    const keys = await welcome(io, opening, {
      sid,
      limit: told.limit,
      ttlMs: this.#ttlMs,
      presharedKey: await this.#presharedKey(keyId),
    });
    this.#stopped.signal.throwIfAborted();
    const { transport, rest } = io;
    const attachment = { transport, peer: { received: 0, limit }, told, rest };
    const conn = this.#sessions.open(sid, keys, keyId, core, attachment);
    const remote = addressText(transport.remoteAddr);
    this.#emitter.emit({ type: "session-opened", sid: conn.sid, remote });
    this.#offer(conn);
  }

  async #presharedKey(keyId: Bytes): Promise<Bytes | undefined> {
    const find = this.#options.presharedKey;
    if (find === undefined) return undefined;
    // An unknown name gets a key that nobody has: the proof fails as it does
    // for a wrong key, and tells nothing about which names exist.
    return await find(keyId) ?? randomBytes(32);
  }

  async #resume(
    io: HandshakeIo,
    opening: Opening<ResumeRecord>,
  ): Promise<void> {
    const { record } = opening;
    const sid = record.sid.toHex();
    const session = this.#sessions.find(sid);
    const stone = this.#sessions.tombstones.find(sid, performance.now());
    const keys = (session ?? stone)?.keys ?? await decoyKeys();
    const proven = await provesSession(opening, keys);
    if (!proven || (session === undefined && stone === undefined)) {
      await refuse(io, REFUSAL.unknown);
      throw new Error("unknown session or bad proof");
    }
    if (session === undefined) {
      const { received } = stone!;
      await refuseProven(io, opening, keys, REFUSAL.gone, received);
      throw new Error(`session ${sid} has ended`);
    }
    if (record.epoch <= session.epoch) {
      await refuseProven(io, opening, keys, REFUSAL.stale, session.epoch);
      throw new Error(`epoch ${record.epoch} of session ${sid} is used`);
    }
    await this.#takeOver(io, opening, session);
  }

  // The order is the point: the epoch is taken, then the old transport is
  // fenced, and only then is it read how far this end received. Otherwise bytes
  // that the old one still brings would be counted and sent again.
  async #takeOver(
    io: HandshakeIo,
    opening: Opening<ResumeRecord>,
    session: Session,
  ): Promise<void> {
    const { record } = opening;
    session.epoch = record.epoch;
    session.conn.fence("replaced");
    const told = session.conn.core.position;
    await grantResume(io, opening, session.keys, told, this.#ttlMs);
    this.#stopped.signal.throwIfAborted();
    if (session.epoch !== record.epoch) {
      throw new Error("a newer transport won");
    }
    const { transport, rest } = io;
    const peer = { received: record.received, limit: record.limit };
    this.#sessions.attach(session, { transport, peer, told, rest });
    const remote = addressText(transport.remoteAddr);
    const { sid } = session.conn;
    this.#emitter.emit({ type: "session-resumed", sid, remote });
  }

  #offer(conn: ResumableConn): void {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) waiter(conn);
    else this.#queue.push(conn);
  }
}

function isClosed(error: unknown): boolean {
  return error instanceof Deno.errors.BadResource ||
    error instanceof Deno.errors.Interrupted;
}
