import type { DatabaseSync, StatementSync } from "node:sqlite";
import { openSqliteFile } from "./_sqlite_file.ts";
import { errorText } from "./_deno.ts";
import { ResumeError } from "./errors.ts";
import type {
  NewSessionRecord,
  SessionChange,
  SessionClaim,
  SessionStore,
  StoredHead,
  StoredSession,
  StreamCut,
  WrittenFrames,
} from "./store.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const FIN_QUEUED = 1;
const FIN_READ = 2;
const PEER_CLOSED = 4;
const SWEEP_EVERY_MS = 10_000;
const NOTHING: Bytes = new Uint8Array(0);

interface Row {
  readonly id: number;
  readonly epoch: number;
  readonly secret: Bytes;
  readonly next_secret: Bytes;
  readonly key_id: Bytes;
  readonly written: number;
  readonly consumed: number;
  readonly flags: number;
  readonly ended: number | null;
}

/** See `sqliteStore`. Its calls do their work before they return. */
export class SqliteStore implements SessionStore {
  readonly #db: DatabaseSync;
  readonly #now: () => number;
  readonly #sql: ReturnType<typeof prepare>;
  #sweptAt = 0;

  constructor(path: string, syncs: boolean, now: () => number) {
    this.#now = now;
    this.#db = openSqliteFile(path, syncs);
    this.#sql = prepare(this.#db);
  }

  create(session: NewSessionRecord): Promise<void> {
    return this.#atomic(() => {
      this.#sweep();
      const { sid, secret, keyId, expiresAt } = session;
      this.#sql.create.run(sid, secret, NOTHING, keyId, expiresAt);
    });
  }

  find(sid: string): Promise<StoredHead | undefined> {
    return attempt(() => {
      const row = this.#row(sid);
      return row === undefined ? undefined : headOf(row);
    });
  }

  #row(sid: string): Row | undefined {
    return this.#sql.find.get(sid, this.#now()) as unknown as Row | undefined;
  }

  claim(claim: SessionClaim): Promise<StoredSession | undefined> {
    return this.#atomic(() => {
      const { sid, from, to, secret, nextSecret, expiresAt } = claim;
      const { changes } = this.#sql.claim.run(
        ...[to, secret, nextSecret, expiresAt, sid, from, this.#now()],
      );
      return Number(changes) === 0 ? undefined : this.#load(this.#row(sid)!);
    });
  }

  #load(row: Row): StoredSession {
    const output = this.#sql.output.all(row.id) as unknown as {
      readonly start: number;
      readonly stop: number;
      readonly frames: Bytes;
    }[];
    const state = this.#sql.state.get(row.id) as { bytes: Bytes } | undefined;
    return {
      ...headOf(row),
      cut: cutOf(row),
      output: output.map(({ start, stop, frames }): WrittenFrames => ({
        from: start,
        to: stop,
        frames,
      })),
      appState: state?.bytes,
    };
  }

  commit(changes: readonly SessionChange[]): Promise<readonly string[]> {
    return this.#atomic(() => {
      const turnedAway: string[] = [];
      for (const change of changes) {
        if (!this.#change(change)) turnedAway.push(change.sid);
      }
      return turnedAway;
    });
  }

  #change(change: SessionChange): boolean {
    const { sid, epoch, expiresAt, cut, frames, acked, appState, ended } =
      change;
    const sql = this.#sql;
    const row = sql.own.get(sid, epoch, this.#now()) as
      | { readonly id: number }
      | undefined;
    if (row === undefined) return false;
    const { id } = row;
    sql.renew.run(expiresAt, id);
    if (cut !== undefined) {
      sql.move.run(cut.written, cut.consumed, flagsOf(cut), id);
    }
    for (const { from, to, frames: bytes } of frames ?? []) {
      sql.append.run(id, from, to, bytes);
    }
    sql.trim.run(id, acked);
    if (appState !== undefined) sql.keep.run(id, appState);
    if (ended === undefined) return true;
    sql.forgetOutput.run(id);
    sql.forgetState.run(id);
    if (ended === "forgotten") sql.forget.run(id);
    else sql.end.run(ended, id);
    return true;
  }

  // Not at each call, and not by a timer, which would need to be closed.
  #sweep(): void {
    const now = this.#now();
    if (now - this.#sweptAt < SWEEP_EVERY_MS) return;
    this.#sweptAt = now;
    const expired = this.#sql.expired.all(now) as { readonly id: number }[];
    for (const { id } of expired) {
      this.#sql.forgetOutput.run(id);
      this.#sql.forgetState.run(id);
      this.#sql.forget.run(id);
    }
  }

  #atomic<T>(work: () => T): Promise<T> {
    return attempt(() => {
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        const result = work();
        this.#db.exec("COMMIT");
        return result;
      } catch (error) {
        // SQLite may have ended the transaction itself, on a full disk.
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
        throw error;
      }
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#db.isOpen) this.#db.close();
    return Promise.resolve();
  }
}

async function attempt<T>(work: () => T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new ResumeError(
      "resume/store",
      `Cannot use the session store: ${errorText(error)}`,
      { cause: error },
    );
  }
}

function prepare(db: DatabaseSync) {
  const sql = (text: string): StatementSync => db.prepare(text);
  const live = "expires_at > ?";
  return {
    create: sql(
      `INSERT INTO session (sid, epoch, secret, next_secret, key_id, expires_at)
       VALUES (?, 1, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    ),
    find: sql(`SELECT * FROM session WHERE sid = ? AND ${live}`),
    claim: sql(
      `UPDATE session SET epoch = ?, secret = ?, next_secret = ?, expires_at = ?
       WHERE sid = ? AND epoch = ? AND ended IS NULL AND ${live}`,
    ),
    output: sql(
      "SELECT start, stop, frames FROM output WHERE session = ? ORDER BY stop",
    ),
    state: sql("SELECT bytes FROM app_state WHERE session = ?"),
    own: sql(
      `SELECT id FROM session WHERE sid = ? AND epoch = ? AND ${live}`,
    ),
    renew: sql("UPDATE session SET expires_at = ? WHERE id = ?"),
    move: sql(
      "UPDATE session SET written = ?, consumed = ?, flags = ? WHERE id = ?",
    ),
    append: sql(
      "INSERT INTO output (session, start, stop, frames) VALUES (?, ?, ?, ?)",
    ),
    trim: sql("DELETE FROM output WHERE session = ? AND stop <= ?"),
    keep: sql(
      "INSERT OR REPLACE INTO app_state (session, bytes) VALUES (?, ?)",
    ),
    end: sql("UPDATE session SET ended = ? WHERE id = ?"),
    forget: sql("DELETE FROM session WHERE id = ?"),
    forgetOutput: sql("DELETE FROM output WHERE session = ?"),
    forgetState: sql("DELETE FROM app_state WHERE session = ?"),
    expired: sql("SELECT id FROM session WHERE expires_at <= ? LIMIT 1000"),
  };
}

function headOf(row: Row): StoredHead {
  return {
    epoch: row.epoch,
    secret: row.secret,
    nextSecret: row.next_secret,
    keyId: row.key_id,
    ended: row.ended ?? undefined,
  };
}

function cutOf({ written, consumed, flags }: Row): StreamCut {
  return {
    written,
    consumed,
    finQueued: (flags & FIN_QUEUED) !== 0,
    finRead: (flags & FIN_READ) !== 0,
    peerClosed: (flags & PEER_CLOSED) !== 0,
  };
}

function flagsOf({ finQueued, finRead, peerClosed }: StreamCut): number {
  return (finQueued ? FIN_QUEUED : 0) | (finRead ? FIN_READ : 0) |
    (peerClosed ? PEER_CLOSED : 0);
}
