import { backoff } from "@holdfast/recovery/backoff";
import { Conn } from "./_conn.ts";
import { withDeadline } from "./_deadline.ts";
import { setTimerReferenced } from "./_deno.ts";
import {
  type Granted,
  openSession,
  Refused,
  resumeSession,
} from "./_handshake_client.ts";
import { HandshakeIo } from "./_handshake_io.ts";
import { inRange, requireKey, streamSettings } from "./_options.ts";
import { followPath } from "./_path_follow.ts";
import { NO_BYTES, REFUSAL } from "./_records.ts";
import { afterRefusal } from "./_refusal.ts";
import { REPLACES_TRANSPORT } from "./_replaces_transport.ts";
import { dialOrAbort, RedialTry } from "./_redial_try.ts";
import { StreamCore } from "./_stream_core.ts";
import { ProtocolViolation } from "./_wire.ts";
import type { ConnectOptions, Dial } from "./connect_options.ts";
import { ResumeError } from "./errors.ts";
import type { ResumableConn } from "./resumable_conn.ts";
import type { SessionSnapshot } from "./snapshot.ts";
import type { Transport } from "./transport.ts";

const OPEN_ATTEMPTS = 3;
const FIRST_REDIAL_MS = 50;

/** A client's half of a session, suspended. */
export interface ClientSnapshot {
  readonly session: SessionSnapshot;
  /** How long its server waits for it. */
  readonly ttlMs: number;
}

/** Keeps one session supplied with transports. */
export class ClientSession {
  readonly #dial: Dial;
  readonly #options: ConnectOptions;
  readonly #settings: ReturnType<typeof streamSettings>;
  #core: StreamCore;
  readonly #delay: (attempt: number) => number;
  readonly #stopped = new AbortController();
  readonly #ends: (() => void)[] = [];
  #conn: Conn | undefined;
  #granted: Granted | undefined;
  #epoch = 1;
  #redialing = false;
  #replaceAgain = false;
  #movedTo: string | undefined;
  #wake: () => void = () => {};
  #try: RedialTry | undefined; // The last one, under way or over.
  readonly #dialTimeoutMs: number;

  constructor(dial: Dial, options: ConnectOptions) {
    this.#dial = dial;
    this.#options = options;
    this.#settings = streamSettings(options);
    const { presharedKey } = options;
    if (presharedKey !== undefined) {
      requireKey(presharedKey.key, presharedKey.id);
    }
    this.#core = new StreamCore({ ...this.#settings, closeIsHeard: true });
    const { redialMaxMs = 5_000, dialTimeoutMs = 15_000 } = options;
    this.#dialTimeoutMs = inRange("dialTimeoutMs", dialTimeoutMs, 1, 600_000);
    const maxMs = inRange("redialMaxMs", redialMaxMs, FIRST_REDIAL_MS, 1e9);
    this.#delay = backoff({ firstMs: FIRST_REDIAL_MS, maxMs });
    const { signal } = options;
    if (signal !== undefined) {
      const onAbort = (): void => (this.#conn?.abort(), this.stop());
      signal.addEventListener("abort", onAbort, { once: true });
      this.#ends.push(() => signal.removeEventListener("abort", onAbort));
    }
  }

  async open(): Promise<ResumableConn> {
    for (let attempt = 1;; attempt++) {
      const transport = await this.#getTransport(0, this.#stopped.signal);
      try {
        return await this.#open(transport);
      } catch (error) {
        if (error instanceof ResumeError) throw error;
        if (attempt === OPEN_ATTEMPTS || this.#stopped.signal.aborted) {
          throw new ResumeError(
            "resume/handshake",
            `Cannot open a session: ${(error as Error).message}`,
            { cause: error },
          );
        }
      }
    }
  }

  async #open(transport: Transport): Promise<ResumableConn> {
    const io = new HandshakeIo(transport);
    const told = this.#core.position;
    const granted = await this.#handshake(
      transport,
      this.#stopped.signal,
      () => openSession(io, told.limit, this.#options.presharedKey),
    );
    const conn = this.#start(granted, false);
    conn.attach(
      { transport, peer: granted.peer, told, rest: io.rest },
      this.#epoch,
    );
    return conn;
  }

  #start(granted: Granted, restored: boolean): Conn {
    this.#granted = granted;
    const conn = new Conn(
      this.#core,
      {
        sid: granted.sid.toHex(),
        keyId: this.#options.presharedKey?.id ?? NO_BYTES,
        restored,
        failsWhenDetached: this.#options.whenDetached === "fail",
      },
      {
        detached: () => {
          this.#try?.outdate();
          void this.#redial();
        },
        ended: () => this.stop(),
        noticed: (notice) => {
          if (notice.kind === "moved") this.#movedTo = notice.to;
        },
      },
      this.#options.onListenerError,
    );
    this.#conn = conn;
    this.#listen(conn);
    return conn;
  }

  /** Goes on with what another process suspended, once it has a transport. */
  restore({ session, ttlMs }: ClientSnapshot): Conn {
    const { sid, secret, epoch, core } = session;
    this.#core = new StreamCore(
      { ...this.#settings, closeIsHeard: true },
      core,
    );
    // The epoch that was used last: what became of it is not known.
    this.#epoch = epoch;
    const conn = this.#start(
      { sid, secret, ttlMs, peer: { received: 0, limit: 0 } },
      true,
    );
    void this.#redial();
    return conn;
  }

  /** Stops for good, at once, and gives what another process needs. */
  suspend(): ClientSnapshot {
    const { sid, secret, ttlMs } = this.#granted!;
    const [keyId, nextSecret] = [this.#conn!.keyId, NO_BYTES];
    const core = this.#conn!.suspend();
    const epoch = this.#epoch;
    const halfOpen = false;
    return {
      session: { sid, secret, nextSecret, keyId, epoch, core, halfOpen },
      ttlMs,
    };
  }

  #listen(conn: Conn): void {
    const { network } = this.#options;
    if (network === undefined) return;
    const stack = new DisposableStack();
    stack.use(network.on("*", (event) => {
      if (event.type === "path-lost") conn.fence("path-lost");
      if (REPLACES_TRANSPORT.has(event.type)) {
        this.#try?.outdate();
        void this.#replace(conn);
      }
      this.#wake();
    }));
    stack.use(followPath(conn, network, () => void this.#replace(conn)));
    this.#ends.push(() => stack.dispose());
  }

  /** Lets go of everything but the connection itself. */
  stop(): void {
    this.#stopped.abort(
      new DOMException("The connection is closed", "AbortError"),
    );
    this.#wake();
    for (const end of this.#ends.splice(0)) end();
  }

  #handshake<T>(
    transport: Transport,
    signal: AbortSignal,
    run: () => Promise<T>,
  ): Promise<T> {
    const { handshakeTimeoutMs } = this.#settings;
    return withDeadline(transport, handshakeTimeoutMs, signal, run);
  }

  #getTransport(attempt: number, signal: AbortSignal): Promise<Transport> {
    const movedTo = this.#movedTo;
    return dialOrAbort(() => this.#dial({ attempt, movedTo, signal }), signal);
  }

  // Make before break: the old transport carries the stream until the new one
  // has been accepted. If that fails, nothing has changed.
  async #replace(conn: Conn): Promise<void> {
    if (conn.state.name !== "attached") return;
    if (this.#redialing) return void (this.#replaceAgain = true);
    this.#redialing = true;
    try {
      await this.#resume(conn, 1);
    } catch (error) {
      if (!this.#stopped.signal.aborted && !this.#refused(conn, error)) {
        conn.redialFailed(1, error, 0);
      }
    }
    this.#dialled(conn);
  }

  // One at a time: two dials would fence each other for ever.
  async #redial(): Promise<void> {
    if (this.#redialing) return;
    this.#redialing = true;
    const conn = this.#conn!;
    const since = performance.now();
    const { signal } = this.#stopped;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await this.#resume(conn, attempt);
        break;
      } catch (error) {
        if (signal.aborted || this.#refused(conn, error)) break;
        const left = since + this.#granted!.ttlMs - performance.now();
        if (left <= 0) {
          conn.lose(
            "resume/lost",
            `no transport came back within ${this.#granted!.ttlMs} ms`,
            error,
          );
          break;
        }
        const retryMs = Math.min(left, this.#retryMs(error, attempt));
        conn.redialFailed(attempt, error, retryMs);
        await this.#sleep(retryMs);
      }
    }
    this.#dialled(conn);
  }

  // What came up during a dial, which did not start a second one.
  #dialled(conn: Conn): void {
    this.#redialing = false;
    if (this.#stopped.signal.aborted) return;
    const again = this.#replaceAgain;
    this.#replaceAgain = false;
    if (conn.state.name === "detached") void this.#redial();
    else if (again) void this.#replace(conn);
  }

  async #resume(conn: Conn, attempt: number): Promise<void> {
    const { signal } = this.#stopped;
    const redial = new RedialTry(signal, attempt, this.#dialTimeoutMs);
    this.#try = redial;
    try {
      const transport = await this.#getTransport(attempt, redial.signal);
      redial.dialled();
      await this.#resumeOver(transport, conn, redial.signal);
    } finally {
      redial[Symbol.dispose]();
    }
  }

  async #resumeOver(
    transport: Transport,
    conn: Conn,
    signal: AbortSignal,
  ): Promise<void> {
    const granted = this.#granted!;
    const io = new HandshakeIo(transport);
    // Taken before it is used: no epoch is ever tried twice.
    const epoch = ++this.#epoch;
    const told = this.#core.position;
    const { peer, ttlMs, secret } = await this.#handshake(
      transport,
      signal,
      () => resumeSession(io, granted, epoch, told),
    );
    this.#granted = { ...granted, secret, ttlMs };
    // Only now: until it was accepted the old one carried the stream.
    conn.fence("replaced");
    conn.attach({ transport, peer, told, rest: io.rest }, epoch);
  }

  /** Whether the server's answer ends the session. */
  #refused(conn: Conn, error: unknown): boolean {
    if (!(error instanceof Refused)) return false;
    const after = afterRefusal(error);
    switch (after.kind) {
      case "again":
        this.#epoch = Math.max(this.#epoch, after.epoch);
        return false;
      case "gone":
        conn.gone(after.mark);
        return true;
      case "lose":
        conn.lose(after.code, after.why);
        return true;
    }
  }

  #retryMs(error: unknown, attempt: number): number {
    if (error instanceof Refused && error.refusal === REFUSAL.busy) {
      return Math.max(1, error.value);
    }
    // There was news while it was tried: that path is the old one.
    if (this.#try?.outdated) return this.#delay(0);
    // A path that answers, and answers wrongly, is not asked at full speed.
    const floor = error instanceof ProtocolViolation ? 10 : 0;
    return Math.max(floor, this.#delay(attempt - 1));
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = () => {};
        resolve();
      };
      const timer = setTimeout(done, Math.min(ms, 2 ** 31 - 1));
      if (!this.#conn!.referenced) setTimerReferenced(timer, false);
      this.#wake = done;
    });
  }
}
