/** The sessions of a server: opened, resumed, expired, suspended, revoked. */
import { type Alarm, alarms } from "./_alarms.ts";
import { Budget } from "./_budget.ts";
import type { Conn } from "./_conn.ts";
import { Session, type SessionKeeper, type SessionParts } from "./_session.ts";
import type { CoreOptions } from "./_core_state.ts";
import type { SessionSecret } from "./_keys.ts";
import type { Attachment } from "./_pipe.ts";
import type { Bytes } from "./_records.ts";
import { storedState } from "./_stored_state.ts";
import { StreamCore } from "./_stream_core.ts";
import { Tombstones } from "./_tombstones.ts";
import { RESET } from "./_wire.ts";
import type { Journal } from "./_journal.ts";
import type { SessionSnapshot } from "./snapshot.ts";
import type { StoredSession } from "./store.ts";

const TOMBSTONES_MAX = 4096;

/** What the table of sessions is told. */
export interface SessionsContext {
  readonly core: CoreOptions;
  readonly ttlMs: number;
  readonly sessionsMax: number;
  readonly detachedMax: number;
  readonly sessionsPerKeyMax: number;
  readonly memoryMax: number;
  readonly onListenerError: ((error: unknown) => void) | undefined;
  readonly journal: Journal | undefined;
  /** How many wait for the program to accept them, over or not. */
  unaccepted(): number;
  ended(sid: string, reason: string): void;
}

/** What a transport that opens a session brings. */
export interface NewSession {
  readonly sid: Bytes;
  readonly secret: SessionSecret;
  readonly keyId: Bytes;
  readonly core: StreamCore;
  readonly attachment: Attachment;
}

/** See the module's comment. */
export class Sessions {
  readonly tombstones: Tombstones;
  readonly budget: Budget;
  readonly #sessions = new Map<string, Session>();
  // In the order in which they lost their transports, and so in which they
  // expire: one alarm does for all.
  readonly #detached = new Set<Session>();
  readonly #perKey = new Map<string, number>();
  readonly #context: SessionsContext;
  readonly #expiry: Alarm = {
    at: Infinity,
    slot: -1,
    ring: () => this.#expire(),
  };
  readonly #keeper: SessionKeeper;
  // A store forgets what is not recorded anew in time.
  readonly #renewal: Alarm = {
    at: Infinity,
    slot: -1,
    ring: () => this.#renew(),
  };

  constructor(context: SessionsContext) {
    this.#context = context;
    this.#keeper = {
      journal: context.journal,
      wait: (session) => this.#wait(session),
      ended: (session, reason) => this.#ended(session, reason),
    };
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
    const most = Math.max(this.#sessions.size, this.#context.unaccepted());
    if (most + handshakes > sessionsMax) return "too many sessions";
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
  open({ sid, secret, keyId, core, attachment }: NewSession): Conn {
    const parts = { sid, secret, keyId, core, epoch: 1, restored: false };
    const session = this.#add(parts);
    session.conn.attach(attachment, 1);
    this.#context.journal?.touch(session);
    return session.conn;
  }

  /** A new session that waits for its first transport. */
  openWaiting(sid: Bytes, secret: SessionSecret, keyId: Bytes): Session {
    const core = this.newCore();
    const parts = { sid, secret, keyId, core, epoch: 1, restored: false };
    const session = this.#add(parts);
    this.#wait(session);
    return session;
  }

  /** A session that another process suspended, waiting for its client. */
  restore(snapshot: SessionSnapshot): Conn {
    const { sid, secret, nextSecret, keyId, epoch } = snapshot;
    const options = { ...this.#context.core, budget: this.budget };
    const core = new StreamCore(options, snapshot.core);
    const parts = { sid, secret, keyId, core, epoch, restored: true };
    const session = this.#add(parts);
    if (nextSecret.length > 0) session.next = nextSecret;
    this.#wait(session);
    return session.conn;
  }

  /** A session out of the store, waiting for the client that asks for it. */
  restoreStored(sid: Bytes, stored: StoredSession): Session {
    const { secret, nextSecret, keyId, epoch, appState } = stored;
    const options = { ...this.#context.core, budget: this.budget };
    const core = new StreamCore(options, storedState(stored));
    const parts = { sid, secret, keyId, core, epoch, restored: true, appState };
    const session = this.#add(parts);
    session.next = nextSecret;
    this.#wait(session);
    return session;
  }

  #add(parts: Omit<SessionParts, "onListenerError">): Session {
    const { onListenerError } = this.#context;
    const session = new Session(this.#keeper, { ...parts, onListenerError });
    this.#sessions.set(session.conn.sid, session);
    this.#count(parts.keyId, 1);
    if (this.#context.journal !== undefined && this.#renewal.slot < 0) {
      alarms.set(this.#renewal, performance.now() + this.#context.ttlMs / 2);
    }
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
    this.#leave(session);
    session.conn.attach(attachment, session.epoch);
  }

  // Without a transport: for so long, and for so many of them.
  #wait(session: Session): void {
    session.waitsUntil = performance.now() + this.#context.ttlMs;
    this.#detached.delete(session);
    this.#detached.add(session);
    if (this.#expiry.slot < 0) alarms.set(this.#expiry, session.waitsUntil);
    this.#context.journal?.touch(session);
    this.#evict();
  }

  #renew(): void {
    for (const session of this.#sessions.values()) {
      if (!this.#detached.has(session)) this.#context.journal?.touch(session);
    }
    if (this.#sessions.size === 0) return;
    alarms.set(this.#renewal, performance.now() + this.#context.ttlMs / 2);
  }

  #leave(session: Session): void {
    this.#detached.delete(session);
    if (this.#detached.size === 0) alarms.clear(this.#expiry);
  }

  #expire(): void {
    const { ttlMs } = this.#context;
    const now = performance.now();
    for (const { conn, waitsUntil } of this.#detached) {
      if (waitsUntil > now) return alarms.set(this.#expiry, waitsUntil);
      conn.lose(
        "resume/lost",
        `its client did not come back within ${ttlMs} ms`,
      );
    }
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
    this.#leave(session);
    const { sid, keyId, core } = session.conn;
    if (this.#sessions.get(sid) !== session) return;
    this.#sessions.delete(sid);
    if (this.#sessions.size === 0) alarms.clear(this.#renewal);
    this.#count(keyId, -1);
    this.#record(session, reason);
    const elsewhere = reason === "suspended" || reason === "resume/taken-over";
    if (!elsewhere) {
      const secrets = [session.secret, session.next ?? session.secret];
      const mark = reason === "resume/denied" ? "denied" : core.receivedMark;
      this.tombstones.bury(sid, secrets, mark, performance.now());
    }
    this.#context.ended(sid, reason);
  }

  #record(session: Session, reason: string): void {
    const { journal } = this.#context;
    if (reason === "suspended" || reason === "resume/taken-over") {
      return journal?.drop(session);
    }
    const mark = session.conn.core.receivedMark;
    journal?.end(session, reason === "resume/denied" ? "forgotten" : mark);
  }

  /** Ends a session for good; its client is told, and cannot come back. */
  revoke(sid: string): boolean {
    this.tombstones.deny(sid);
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

  /** Resolves once every client has heard what it was told, or after so long. */
  async told(deadlineMs: number): Promise<void> {
    const all = [...this.#sessions.values()].map(({ conn }) => conn.told());
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([Promise.all(all), late]);
    clearTimeout(timer);
  }

  /** Stops every session and gives what another process needs. */
  suspend(): SessionSnapshot[] {
    return [...this.#sessions.values()].map((session) => ({
      sid: Uint8Array.fromHex(session.conn.sid),
      secret: session.secret,
      nextSecret: session.next ?? new Uint8Array(0),
      keyId: session.conn.keyId,
      epoch: session.epoch,
      core: session.conn.suspend(),
      halfOpen: false,
    }));
  }

  /** Ends every session with a last word to its client; settles when it is said. */
  async shutDown(): Promise<void> {
    const conns = [...this.#sessions.values()].map(({ conn }) => conn);
    for (const conn of conns) {
      conn.shutDown(
        RESET.shutdown,
        "resume/server-closed",
        "the server was closed",
      );
    }
    this.tombstones.clear();
    await Promise.all(conns.map(({ closed }) => closed));
  }
}
