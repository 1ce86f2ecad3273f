/** The sessions of a server: opened, resumed, expired, suspended. */
import { Conn } from "./_conn.ts";
import type { Attachment } from "./_pipe.ts";
import type { SessionKeys } from "./_keys.ts";
import { sessionKeys } from "./_keys.ts";
import type { StreamSettings } from "./_options.ts";
import type { Bytes } from "./_records.ts";
import { StreamCore } from "./_stream_core.ts";
import { Tombstones } from "./_tombstones.ts";
import type { SessionSnapshot } from "./snapshot.ts";

const TOMBSTONES_MAX = 4096;

/** One session and who may resume it. */
export interface Session {
  readonly sid: Bytes;
  readonly keys: SessionKeys;
  /** The newest epoch that was used; recorded before anything is done with it. */
  epoch: number;
  readonly conn: Conn;
  expiry: ReturnType<typeof setTimeout> | undefined;
}

/** What the table of sessions tells its server. */
export interface SessionsHooks {
  ended(sid: string, reason: string): void;
}

/** See the module's comment. */
export class Sessions {
  readonly tombstones: Tombstones;
  readonly #sessions = new Map<string, Session>();
  readonly #settings: StreamSettings;
  readonly #ttlMs: number;
  readonly #hooks: SessionsHooks;
  readonly #onListenerError: ((error: unknown) => void) | undefined;

  constructor(
    settings: StreamSettings,
    ttlMs: number,
    hooks: SessionsHooks,
    onListenerError: ((error: unknown) => void) | undefined,
  ) {
    this.#settings = settings;
    this.#ttlMs = ttlMs;
    this.#hooks = hooks;
    this.#onListenerError = onListenerError;
    this.tombstones = new Tombstones(TOMBSTONES_MAX, ttlMs);
  }

  get size(): number {
    return this.#sessions.size;
  }

  find(sid: string): Session | undefined {
    return this.#sessions.get(sid);
  }

  /** A new session over the transport that opened it. */
  open(
    sid: Bytes,
    keys: SessionKeys,
    keyId: Bytes,
    core: StreamCore,
    attachment: Attachment,
  ): Conn {
    const session = this.#add(sid, keys, keyId, core, 1, false);
    session.conn.attach(attachment, 1);
    return session.conn;
  }

  /** A session that another process suspended, waiting for its client. */
  async restore(snapshot: SessionSnapshot): Promise<Conn> {
    const keys = await sessionKeys(snapshot.secret);
    const core = new StreamCore(this.#settings, snapshot.core);
    const { sid, keyId, epoch } = snapshot;
    const session = this.#add(sid, keys, keyId, core, epoch, true);
    this.#expire(session);
    return session.conn;
  }

  #add(
    sid: Bytes,
    keys: SessionKeys,
    keyId: Bytes,
    core: StreamCore,
    epoch: number,
    restored: boolean,
  ): Session {
    const name = sid.toHex();
    const conn = new Conn(
      core,
      { sid: name, keyId, restored },
      {
        detached: () => this.#expire(session),
        ended: (reason) => this.#ended(session, reason),
      },
      this.#onListenerError,
    );
    const session: Session = { sid, keys, epoch, conn, expiry: undefined };
    this.#sessions.set(name, session);
    return session;
  }

  /** Goes on over a new transport, whose epoch is still the newest. */
  attach(session: Session, attachment: Attachment): void {
    clearTimeout(session.expiry);
    session.conn.fence("replaced");
    clearTimeout(session.expiry);
    session.conn.attach(attachment, session.epoch);
  }

  #expire(session: Session): void {
    clearTimeout(session.expiry);
    session.expiry = setTimeout(
      () =>
        session.conn.lose(
          "resume/lost",
          `its client did not come back within ${this.#ttlMs} ms`,
        ),
      this.#ttlMs,
    );
  }

  #ended(session: Session, reason: string): void {
    clearTimeout(session.expiry);
    const { sid } = session.conn;
    if (!this.#sessions.delete(sid)) return;
    if (reason !== "suspended") {
      const mark = session.conn.core.receivedMark;
      this.tombstones.bury(sid, session.keys, mark, performance.now());
    }
    this.#hooks.ended(sid, reason);
  }

  /** Stops every session and gives what another process needs. */
  suspend(): SessionSnapshot[] {
    return [...this.#sessions.values()].map((session) => ({
      sid: session.sid,
      secret: session.keys.secret,
      keyId: session.conn.keyId,
      epoch: session.epoch,
      core: session.conn.suspend(),
    }));
  }

  /** Ends every session with a last word to its client. */
  shutDown(): void {
    for (const session of [...this.#sessions.values()]) {
      session.conn.shutDown("resume/server-closed", "the server was closed");
    }
    this.tombstones.clear();
  }
}
