import { AcceptQueue } from "./_accept_queue.ts";
import { Emitter, EventReader } from "@holdfast/events/emitter";
import { Incoming, type IncomingLimits } from "./_incoming.ts";
import { Journal } from "./_journal.ts";
import { isClosedError } from "./_deno.ts";
import { inRange, streamSettings } from "./_options.ts";
import { closeQuietly } from "./_pipe.ts";
import { type Notice, requireTellable } from "./_notice.ts";
import { Sessions } from "./_sessions.ts";
import type {
  AcceptOptions,
  ServerLimits,
  TransportSource,
} from "./accept_options.ts";
import { ResumeError } from "./errors.ts";
import type { ResumeServerEvent } from "./events.ts";
import type { ResumableConn } from "./resumable_conn.ts";
import { decodeSnapshot, encodeSnapshot } from "./snapshot.ts";

// After an accept that failed for want of something, such as descriptors.
const ACCEPT_PAUSE_MS = 50;
// To close a connection with input unread resets it, and what was on its way to
// the client is gone: who was told something is given so long to say so.
const TOLD_MS = 2_000;

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

function sessionLimits(limits: ServerLimits) {
  const {
    sessionsMax = 10_000,
    detachedMax = 5_000,
    sessionsPerKeyMax = sessionsMax,
    memoryMaxBytes = 512 * 1024 * 1024,
  } = limits;
  return {
    sessionsMax: inRange("sessionsMax", sessionsMax, 1, 1e7),
    detachedMax: inRange("detachedMax", detachedMax, 0, 1e7),
    sessionsPerKeyMax: inRange("sessionsPerKeyMax", sessionsPerKeyMax, 1, 1e7),
    memoryMax: inRange("memoryMaxBytes", memoryMaxBytes, 1, 2 ** 50),
  };
}

function handshakeLimits(limits: ServerLimits): IncomingLimits {
  const { handshakesMax = 256, handshakesPerAddressMax = 64 } = limits;
  return {
    handshakesMax: inRange("handshakesMax", handshakesMax, 1, 1e6),
    handshakesPerAddressMax: inRange(
      "handshakesPerAddressMax",
      handshakesPerAddressMax,
      1,
      1e6,
    ),
  };
}

function newJournal(
  { store, commits = "auto" }: AcceptOptions,
  ttlMs: number,
  emitter: Emitter<ResumeServerEvent>,
): Journal | undefined {
  if (!["auto", "manual"].includes(commits)) {
    throw new TypeError(
      `Cannot use commits: it must be "auto" or "manual": current value is "${commits}"`,
    );
  }
  if (store === undefined) return undefined;
  const manual = commits === "manual";
  return new Journal({
    store,
    ttlMs,
    manual,
    failed: (error, retryMs) =>
      emitter.emit({ type: "store-failed", error, retryMs }),
  });
}

// Not by a static block: a page that needs no server would load it all the same.
const snapshots = new WeakMap<ResumeServer, () => Uint8Array<ArrayBuffer>>();

/** For this package: as `suspend`, in this very turn, and without a last word. */
export function suspendAtOnce(server: ResumeServer): Uint8Array<ArrayBuffer> {
  return snapshots.get(server)!();
}

/** A server of resumable streams; iterate over it for its connections. */
export class ResumeServer extends EventReader<ResumeServerEvent>
  implements AsyncDisposable {
  readonly #emitter: Emitter<ResumeServerEvent>;
  readonly #source: TransportSource;
  readonly #options: AcceptOptions;
  readonly #sessions: Sessions;
  readonly #journal: Journal | undefined;
  readonly #incoming: Incoming;
  readonly #stopped = new AbortController();
  readonly #queue = new AcceptQueue<ResumableConn>();
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
    const settings = streamSettings(options);
    const ttlMs = inRange("ttlMs", options.ttlMs ?? 120_000, 1, 2 ** 31 - 1);
    this.#journal = newJournal(options, ttlMs, emitter);
    this.#sessions = new Sessions({
      journal: this.#journal,
      core: { ...settings, durable: options.store !== undefined },
      ttlMs,
      ...sessionLimits(options.limits ?? {}),
      onListenerError: options.onListenerError,
      unaccepted: () => this.#queue.length,
      ended: (sid, reason) =>
        emitter.emit({ type: "session-ended", sid, reason }),
    });
    this.#incoming = new Incoming({
      sessions: this.#sessions,
      journal: this.#journal,
      handshakeTimeoutMs: settings.handshakeTimeoutMs,
      ttlMs,
      presharedKey: options.presharedKey,
      authorize: options.authorize,
      stopped: this.#stopped.signal,
      emit: (event) => emitter.emit(event),
      opened: (conn) => this.#queue.push(conn),
    }, handshakeLimits(options.limits ?? {}));
    snapshots.set(this, () => {
      this.#stop();
      return this.#snapshot();
    });
    const restored = options.restore === undefined
      ? []
      : decodeSnapshot(options.restore);
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#running = this.#run(restored);
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
    const conn = await this.#queue.next();
    if (conn !== undefined) return conn;
    throw new ResumeError(
      "resume/server-closed",
      "Cannot accept: the server is closed",
    );
  }

  /** The connections as they come; ends when the server is closed or suspended. */
  async *[Symbol.asyncIterator](): AsyncIterableIterator<ResumableConn> {
    for (;;) {
      const conn = await this.#queue.next();
      if (conn === undefined) return;
      yield conn;
    }
  }

  /**
   * Stops everything and gives the sessions as bytes, for another process to go
   * on with: pass them to `acceptResumable` as `restore`. Connections reject
   * with `resume/suspended`; their `bytesRead` and `bytesWritten` tell where
   * the program stands. Clients that were told something by
   * {@linkcode ResumeServer.notify} hear it first; those that do not answer are
   * waited for 2 seconds. With a `store` the sessions stay there, and the bytes
   * hold none. The listener stays open. The bytes hold the sessions'
   * secrets and data: give them to nobody else.
   */
  async suspend(): Promise<Uint8Array<ArrayBuffer>> {
    this.#stop();
    await this.#incoming.settled();
    await this.#sessions.told(TOLD_MS);
    if (this.#journal !== undefined) {
      await this.#journal.flush();
      this.#sessions.suspend();
      return encodeSnapshot([]);
    }
    return this.#snapshot();
  }

  #snapshot(): Uint8Array<ArrayBuffer> {
    const half = this.#incoming.halfOpen();
    return encodeSnapshot([...this.#sessions.suspend(), ...half]);
  }

  /**
   * Tells every client something ahead of time: that this server goes away and
   * keeps the sessions for its successor, or where it is reached from now on.
   * Clients emit `peer-draining` or `peer-moved`.
   *
   * @throws {RangeError} For a place of more than 255 bytes.
   */
  notify(notice: Notice): void {
    requireTellable(notice);
    this.#sessions.forEach((conn) => conn.notify(notice));
  }

  /**
   * Ends a session for good: its client's stream rejects with `resume/denied`,
   * at the latest when it comes back, and it cannot be resumed. It reaches the
   * sessions that this server has now. One that is in a store alone, until its
   * client comes back, is for `authorize` to turn away.
   *
   * @returns Whether there was such a session.
   */
  revoke(sid: string): boolean {
    return this.#sessions.revoke(sid);
  }

  /** Closes the listener and ends every session. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    const suspended = this.#stopped.signal.aborted;
    this.#stop();
    const told = this.#sessions.shutDown();
    await this.#incoming.settled();
    await told;
    await this.#journal?.close();
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
    this.#queue.end();
  }

  async #run(restored: ReturnType<typeof decodeSnapshot>): Promise<void> {
    // Not in the constructor: whoever called it must be able to listen first.
    await Promise.resolve();
    // Before the first transport: a client must find its session at once.
    for (const snapshot of restored) {
      if (snapshot.halfOpen) this.#incoming.restoreHalfOpen(snapshot);
      else this.#queue.push(this.#sessions.restore(snapshot));
    }
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        const transport = await this.#source.accept();
        if (signal.aborted) closeQuietly(transport);
        else this.#incoming.start(transport);
      } catch (error) {
        if (signal.aborted || isClosedError(error)) return;
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }
}
