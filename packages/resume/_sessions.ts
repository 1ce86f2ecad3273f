/** The sessions of a server: opened, resumed, expired, suspended, revoked. */
import { Budget } from "./_budget.ts";
import { Conn } from "./_conn.ts";
import type { CoreOptions } from "./_core_state.ts";
import { type SessionKeys, sessionKeys } from "./_keys.ts";
import type { Attachment } from "./_pipe.ts";
import type { Bytes } from "./_records.ts";
import { StreamCore } from "./_stream_core.ts";
import { Tombstones } from "./_tombstones.ts";
import { RESET } from "./_wire.ts";
import type { SessionSnapshot } from "./snapshot.ts";

const TOMBSTONES_MAX = 4096;

/** One session and who may resume it. */
export interface Session {
  readonly sid: Bytes;
  keys: SessionKeys;
  /** The keys that a client has if it heard the last answer, and was cut off then. */
  next: SessionKeys | undefined;
  /** The newest epoch that was used; recorded before anything is done with it. */
  epoch: number;
  readonly conn: Conn;
  expiry: ReturnType<typeof setTimeout> | undefined;
}

/** What the table of sessions is told. */
export interface SessionsContext {
  readonly core: CoreOptions;
  readonly ttlMs: number;
  readonly sessionsMax: number;
  readonly detachedMax: number;
  readonly sessionsPerKeyMax: number;
  readonly memoryMax: number;
  readonly onListenerError: ((error: unknown) => void) | undefined;
  ended(sid: string, reason: string): void;
}

/** What a transport that opens a session brings. */
export interface NewSession {
  readonly sid: Bytes;
  readonly keys: SessionKeys;
  readonly keyId: Bytes;
  readonly core: StreamCore;
  readonly attachment: Attachment;
}

/** See the module's comment. */
export class Sessions {
  readonly tombstones: Tombstones;
  readonly budget: Budget;
  readonly #sessions = new Map<string, Session>();
  // In the order in which they lost their transports.
  readonly #detached = new Set<Session>();
  readonly #perKey = new Map<string, number>();
  readonly #context: SessionsContext;

  constructor(context: SessionsContext) {
    this.#context = context;
    this.budget = new Budget(context.memoryMax);
    this.tombstones = new Tombstones(TOMBSTONES_MAX, context.ttlMs);
  }

  get size(): number {
    return this.#sessions.size;
  }

  find(sid: string): Session | undefined {
    return this.#sessions.get(sid);
  }

  /** Why there is no room for another session; `undefined` where there is. */
  full(keyId: Bytes, handshakes: number): string | undefined {
    const { sessionsMax, sessionsPerKeyMax } = this.#context;
    if (this.#sessions.size + handshakes > sessionsMax) {
      return "too many sessions";
    }
    const ofKey = this.#perKey.get(keyId.toHex()) ?? 0;
    if (keyId.length > 0 && ofKey >= sessionsPerKeyMax) {
      return "too many sessions with this key";
    }
    return this.budget.left === 0 ? "out of memory for streams" : undefined;
  }

  /** The core of a stream that shares this server's memory. */
  newCore(): StreamCore {
    return new StreamCore({ ...this.#context.core, budget: this.budget });
  }

  /** A new session over the transport that opened it. */
  open({ sid, keys, keyId, core, attachment }: NewSession): Conn {
    const session = this.#add(sid, keys, keyId, core, 1, false);
    session.conn.attach(attachment, 1);
    return session.conn;
  }

  /** A new session that waits for its first transport. */
  openWaiting(sid: Bytes, keys: SessionKeys, keyId: Bytes): Session {
    const session = this.#add(sid, keys, keyId, this.newCore(), 1, false);
    this.#wait(session);
    return session;
  }

  /** A session that another process suspended, waiting for its client. */
  async restore(snapshot: SessionSnapshot): Promise<Conn> {
    const { sid, secret, nextSecret, keyId, epoch } = snapshot;
    const keys = await sessionKeys(secret);
    const options = { ...this.#context.core, budget: this.budget };
    const core = new StreamCore(options, snapshot.core);
    const session = this.#add(sid, keys, keyId, core, epoch, true);
    if (nextSecret.length > 0) session.next = await sessionKeys(nextSecret);
    this.#wait(session);
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
        detached: () => this.#wait(session),
        ended: (reason) => this.#ended(session, reason),
      },
      this.#context.onListenerError,
    );
    const session: Session = {
      sid,
      keys,
      next: undefined,
      epoch,
      conn,
      expiry: undefined,
    };
    this.#sessions.set(name, session);
    this.#count(keyId, 1);
    return session;
  }

  #count(keyId: Bytes, change: number): void {
    if (keyId.length === 0) return;
    const name = keyId.toHex();
    const count = (this.#perKey.get(name) ?? 0) + change;
    if (count > 0) this.#perKey.set(name, count);
    else this.#perKey.delete(name);
  }

  /** Goes on over a new transport, whose epoch is still the newest. */
  attach(session: Session, attachment: Attachment): void {
    session.conn.fence("replaced");
    clearTimeout(session.expiry);
    this.#detached.delete(session);
    session.conn.attach(attachment, session.epoch);
  }

  // Without a transport: for so long, and for so many of them.
  #wait(session: Session): void {
    const { ttlMs } = this.#context;
    clearTimeout(session.expiry);
    session.expiry = setTimeout(
      () =>
        session.conn.lose(
          "resume/lost",
          `its client did not come back within ${ttlMs} ms`,
        ),
      ttlMs,
    );
    this.#detached.delete(session);
    this.#detached.add(session);
    this.#evict();
  }

  // Those who wait longest go first; an attached session never does.
  #evict(): void {
    const { detachedMax } = this.#context;
    for (const session of this.#detached) {
      if (this.#detached.size <= detachedMax && !this.budget.exceeded) return;
      session.conn.lose(
        "resume/lost",
        "the server keeps no more sessions without a transport",
      );
    }
  }

  #ended(session: Session, reason: string): void {
    clearTimeout(session.expiry);
    this.#detached.delete(session);
    const { sid, keyId, core } = session.conn;
    if (!this.#sessions.delete(sid)) return;
    this.#count(keyId, -1);
    if (reason !== "suspended" && reason !== "resume/denied") {
      const keys = [session.keys, session.next ?? session.keys];
      const now = performance.now();
      this.tombstones.bury(sid, keys, core.receivedMark, now);
    }
    this.#context.ended(sid, reason);
  }

  /** Ends a session for good; its client is told, and cannot come back. */
  revoke(sid: string): boolean {
    this.tombstones.forget(sid);
    const session = this.#sessions.get(sid);
    if (session === undefined) return false;
    const { conn } = session;
    conn.shutDown(RESET.denied, "resume/denied", "it was revoked");
    return true;
  }

  /** Calls for each connection. */
  forEach(run: (conn: Conn) => void): void {
    for (const { conn } of [...this.#sessions.values()]) run(conn);
  }

  /** Stops every session and gives what another process needs. */
  suspend(): SessionSnapshot[] {
    return [...this.#sessions.values()].map((session) => ({
      sid: session.sid,
      secret: session.keys.secret,
      nextSecret: session.next?.secret ?? new Uint8Array(0),
      keyId: session.conn.keyId,
      epoch: session.epoch,
      core: session.conn.suspend(),
    }));
  }

  /** Ends every session with a last word to its client. */
  shutDown(): void {
    this.forEach((conn) =>
      conn.shutDown(
        RESET.shutdown,
        "resume/server-closed",
        "the server was closed",
      )
    );
    this.tombstones.clear();
  }
}
