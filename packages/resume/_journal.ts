/**
 * Keeps the sessions of a server in a store. One commit is under way at a time
 * and takes all that has changed by then, of every session: the more there is
 * to do, the less each change costs.
 */
import type { Session } from "./_session.ts";
import type {
  NewSessionRecord,
  SessionChange,
  SessionClaim,
  SessionStore,
  StoredHead,
  StoredSession,
  StreamCut,
} from "./store.ts";
import { errorText } from "./_deno.ts";

/** What a program asked to be kept. */
interface Commit {
  readonly cut: StreamCut;
  readonly appState: Uint8Array<ArrayBuffer>;
}

/** What the journal knows of a session that has changed. */
interface Entry {
  readonly session: Session;
  /** The newest one, if the program commits by itself. */
  commit: Commit | undefined;
  /** Waiting for the newest one: it has all that they asked for. */
  readonly waiting: PromiseWithResolvers<void>[];
}

/** A change, and the cut that is safe once a store has it. */
interface Pending {
  readonly session: Session;
  readonly change: SessionChange;
  readonly waiting: readonly PromiseWithResolvers<void>[];
}

/** What a journal is told. */
export interface JournalContext {
  readonly store: SessionStore;
  readonly ttlMs: number;
  /** Whether only what the program commits is recorded. */
  readonly manual: boolean;
  /** The store failed; it is asked again after so long. */
  failed(error: string, retryMs: number): void;
}

const HALF_OPEN_MS = 30_000;
const RETRY_MS_MIN = 20;
const RETRY_MS_MAX = 2_000;
// How long a server that is closed tries to say so to a store that fails.
const CLOSE_TRIES = 5;
const CLAIM_TRIES = 4;

/** See the module's comment. */
export class Journal {
  readonly manual: boolean;
  readonly #context: JournalContext;
  #entries = new Map<Session, Entry>();
  // What is to be recorded of sessions that are over.
  #endings: SessionChange[] = [];
  #running: Promise<void> | undefined;
  #closed = false;
  #wake: () => void = () => {};
  // Waiting for the end of the commit under way.
  readonly #rounds: (() => void)[] = [];

  constructor(context: JournalContext) {
    this.#context = context;
    this.manual = context.manual;
  }

  /** How long a session may be forgotten after, from now. */
  #expiresAt(session: Session): number {
    const { ttlMs } = this.#context;
    const attached = session.conn.state.name === "attached";
    // An attached one is recorded anew before the half of that is over.
    return Date.now() + (attached ? 2 * ttlMs : ttlMs);
  }

  /** Records a session before its client may take it for open. */
  create(session: Omit<NewSessionRecord, "expiresAt">): Promise<void> {
    const expiresAt = Date.now() + HALF_OPEN_MS;
    return this.#context.store.create({ ...session, expiresAt });
  }

  find(sid: string): Promise<StoredHead | undefined> {
    return this.#context.store.find(sid);
  }

  /**
   * Takes a session over, from whoever has it; `undefined` if it cannot be had.
   * A store that fails may have done it all the same, so it is asked.
   */
  async claim(
    claim: Omit<SessionClaim, "expiresAt">,
  ): Promise<StoredSession | undefined> {
    const { store, ttlMs } = this.#context;
    let { from } = claim;
    for (let failures = 0;;) {
      try {
        const expiresAt = Date.now() + 2 * ttlMs;
        const session = await store.claim({ ...claim, from, expiresAt });
        if (session !== undefined || failures === 0 || from === claim.to) {
          return session;
        }
        const head = await store.find(claim.sid);
        const ours = head?.epoch === claim.to &&
          head.nextSecret.toHex() === claim.nextSecret.toHex();
        if (!ours) return undefined;
        from = claim.to;
      } catch (error) {
        if (++failures === CLAIM_TRIES || this.#closed) throw error;
        await this.#pause(error, failures);
      }
    }
  }

  /** Something has changed, or is to be recorded anew. */
  touch(session: Session): void {
    this.#entry(session);
    this.#start();
  }

  /** The program commits what it made of the stream. */
  commit(
    session: Session,
    cut: StreamCut,
    appState: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    const entry = this.#entry(session);
    const done = Promise.withResolvers<void>();
    entry.waiting.push(done);
    entry.commit = { cut, appState };
    this.#start();
    return done.promise;
  }

  #entry(session: Session): Entry {
    let entry = this.#entries.get(session);
    if (entry === undefined) {
      entry = { session, commit: undefined, waiting: [] };
      this.#entries.set(session, entry);
    }
    return entry;
  }

  /** A session is over: what its client is to be told, or nothing. */
  end(session: Session, ended: number | "forgotten"): void {
    const entry = this.#entries.get(session);
    this.#entries.delete(session);
    for (const { reject } of entry?.waiting ?? []) reject(overError(session));
    const { epoch, conn: { sid, core } } = session;
    const expiresAt = Date.now() + this.#context.ttlMs;
    this.#endings.push({ sid, epoch, expiresAt, acked: core.written, ended });
    this.#start();
  }

  /** Forgets a session that another server has now. */
  drop(session: Session): void {
    const entry = this.#entries.get(session);
    this.#entries.delete(session);
    for (const { reject } of entry?.waiting ?? []) reject(overError(session));
  }

  #start(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // Not at the top: pages, which only connect, have no such module. And not
    // setTimeout, which takes two milliseconds (measured in Deno 2.9).
    const { setImmediate } = await import("node:timers");
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    // After all that is ready to run: what it changes goes into one commit.
    await turn();
    for (let failures = 0;;) {
      const pending = this.#gather();
      const endings = this.#endings.splice(0);
      if (pending.length === 0 && endings.length === 0) break;
      try {
        const changes = pending.map(({ change }) => change);
        const all = [...changes, ...endings];
        const turnedAway = new Set(await this.#context.store.commit(all));
        failures = 0;
        for (const one of pending) this.#settle(one, turnedAway);
        this.#roundOver();
      } catch (error) {
        failures++;
        this.#endings.unshift(...endings);
        for (const one of pending) this.#again(one);
        if (this.#closed && failures === CLOSE_TRIES) break;
        await this.#pause(error, failures);
      }
      // What came meanwhile may be the beginning of more.
      await turn();
    }
    this.#running = undefined;
    this.#roundOver();
  }

  #gather(): Pending[] {
    const pending: Pending[] = [];
    for (const entry of this.#entries.values()) {
      const { session, waiting } = entry;
      const { core, sid } = session.conn;
      const cut = this.manual && !core.closed
        ? entry.commit?.cut
        : core.unsafe
        ? core.cut()
        : undefined;
      const change = {
        sid,
        epoch: session.epoch,
        expiresAt: this.#expiresAt(session),
        cut,
        frames: cut === undefined ? undefined : core.unsafeFrames(cut),
        acked: core.acked,
        appState: entry.commit?.appState,
      };
      pending.push({ session, change, waiting });
    }
    this.#entries = new Map();
    return pending;
  }

  #settle(pending: Pending, turnedAway: ReadonlySet<string>): void {
    const { session, change, waiting } = pending;
    if (turnedAway.has(change.sid)) {
      // Unless it was this server that claimed it meanwhile.
      if (session.epoch !== change.epoch) return this.#again(pending);
      for (const { reject } of waiting) reject(overError(session));
      const message = "it goes on at another server";
      return session.conn.lose("resume/taken-over", message);
    }
    if (change.cut !== undefined) session.conn.safe(change.cut);
    for (const { resolve } of waiting) resolve();
  }

  // It stays to be recorded, unless a newer commit has all of it.
  #again({ session, change, waiting }: Pending): void {
    if (session.conn.over) {
      for (const { reject } of waiting) reject(overError(session));
      return;
    }
    const entry = this.#entry(session);
    entry.waiting.unshift(...waiting);
    const { cut, appState } = change;
    if (cut === undefined || appState === undefined) return;
    entry.commit ??= { cut, appState };
  }

  async #pause(error: unknown, failures: number): Promise<void> {
    const ms = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (failures - 1));
    this.#context.failed(errorText(error), ms);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /**
   * Resolves when all that has changed so far is recorded; what streams change
   * meanwhile is not waited for, or busy ones would never let it end.
   */
  async flush(): Promise<void> {
    // The commit under way may have been put together before.
    for (let left = 2; left > 0 && this.#running !== undefined; left--) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#rounds.push(resolve);
      await promise;
    }
  }

  #roundOver(): void {
    for (const resolve of this.#rounds.splice(0)) resolve();
  }

  /** Records all there is, but gives up on a store that goes on failing. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
    while (this.#running !== undefined) await this.#running;
  }
}

function overError(session: Session): Error {
  return new Error(
    `Cannot commit: session ${session.conn.sid} is over at this server`,
  );
}
