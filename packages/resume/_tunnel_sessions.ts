/** The sessions of a tunnel's client: opened in time, a few at once; suspended. */
import { backoff } from "@holdfast/recovery/backoff";
import { ClientSession, type ClientSnapshot } from "./_client_session.ts";
import { reasonOf } from "./_deno.ts";
import { openClient } from "./client.ts";
import type { ConnectOptions, Dial } from "./connect_options.ts";
import { ResumeError } from "./errors.ts";
import type { ResumableConn } from "./resumable_conn.ts";

// Sessions that are being opened at once.
const OPENING_MAX = 16;

/** Errors of an open that may be over soon. */
const PASSING: ReadonlySet<string> = new Set([
  "resume/busy",
  "resume/handshake",
]);

/** See the module's comment. */
export class TunnelSessions {
  readonly #dial: Dial;
  readonly #options: ConnectOptions;
  readonly #deadlineMs: number;
  readonly #supplied = new WeakMap<ResumableConn, ClientSession>();
  readonly #queue: (() => void)[] = [];
  #opening = 0;

  constructor(dial: Dial, options: ConnectOptions, deadlineMs: number) {
    this.#dial = dial;
    this.#options = options;
    this.#deadlineMs = deadlineMs;
  }

  /**
   * A new session. A few at a time: a server turns away who comes with too many
   * at once, and where the way is cut often none of many would get through.
   */
  async open(): Promise<ResumableConn> {
    while (this.#opening >= OPENING_MAX) {
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    }
    this.#opening++;
    try {
      return await this.#openInTime();
    } finally {
      this.#opening--;
      this.#queue.shift()?.();
    }
  }

  // Programs connect while the way is cut, too: they wait, as others do.
  async #openInTime(): Promise<ResumableConn> {
    const { signal } = this.#options;
    const until = performance.now() + this.#deadlineMs;
    const delay = backoff({ firstMs: 50, maxMs: 1_000 });
    for (let attempt = 0;; attempt++) {
      try {
        const { conn, session } = await openClient(this.#dial, this.#options);
        this.#supplied.set(conn, session);
        return conn;
      } catch (error) {
        signal!.throwIfAborted();
        const pauseMs = delay(attempt);
        const final = error instanceof ResumeError &&
          !PASSING.has(error.code);
        if (final) throw error;
        if (performance.now() + pauseMs > until) throw unreachable(error);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  /** Stops one for good, at once, and gives what another process needs. */
  suspend(session: ResumableConn): ClientSnapshot {
    return this.#supplied.get(session)!.suspend();
  }

  /** Goes on with one that another process had. */
  restore(snapshot: ClientSnapshot): ResumableConn {
    const client = new ClientSession(this.#dial, this.#options);
    const session = client.restore(snapshot);
    this.#supplied.set(session, client);
    return session;
  }
}

function unreachable(error: unknown): ResumeError {
  if (error instanceof ResumeError) return error;
  const why = reasonOf(error);
  return new ResumeError(
    "resume/handshake",
    `Cannot reach the server of the tunnel: ${why}`,
    { cause: error },
  );
}
