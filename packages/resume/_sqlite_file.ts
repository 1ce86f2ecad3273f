/** The file that sessions are kept in: made, or found to be ours. */
import { DatabaseSync } from "node:sqlite";
import { errorText } from "./_deno.ts";
import { ResumeError } from "./errors.ts";

// "HFRS": tells this file from an SQLite file of somebody else's.
const APPLICATION_ID = 0x48465253;
const SCHEMA_VERSION = 1;
const PAGE_BYTES = 16 * 1024;

const SCHEMA = `
  CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    sid TEXT NOT NULL UNIQUE,
    epoch INTEGER NOT NULL,
    secret BLOB NOT NULL,
    next_secret BLOB NOT NULL,
    key_id BLOB NOT NULL,
    written INTEGER NOT NULL DEFAULT 0,
    consumed INTEGER NOT NULL DEFAULT 0,
    flags INTEGER NOT NULL DEFAULT 0,
    ended INTEGER,
    expires_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX session_expiry ON session (expires_at);
  CREATE TABLE output (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    start INTEGER NOT NULL,
    stop INTEGER NOT NULL,
    frames BLOB NOT NULL
  ) STRICT;
  CREATE INDEX output_order ON output (session, stop);
  CREATE TABLE app_state (
    session INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
  ) STRICT;
`;

/**
 * Opens the file, or makes it; only this process has it until it is closed.
 *
 * @throws {ResumeError} `resume/store` when it is something else, or damaged.
 */
export function openSqliteFile(path: string, syncs: boolean): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    restrict(path);
    db = new DatabaseSync(path);
    // Large pages, since most of what goes in are frames of many kilobytes:
    // measured, twice as fast as with those of 4 KiB.
    db.exec(`
      PRAGMA page_size = ${PAGE_BYTES};
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${syncs ? "FULL" : "NORMAL"};
    `);
    const made = readPragma(db, "application_id");
    const tables = db.prepare("SELECT count(*) AS n FROM sqlite_schema").get()!;
    if (made === 0 && tables.n === 0) {
      db.exec(`
        BEGIN IMMEDIATE;
        ${SCHEMA}
        PRAGMA application_id = ${APPLICATION_ID};
        PRAGMA user_version = ${SCHEMA_VERSION};
        COMMIT;
      `);
    } else if (made !== APPLICATION_ID) {
      throw new Error("it is a database of another program");
    }
    const version = readPragma(db, "user_version");
    if (version !== SCHEMA_VERSION) {
      throw new Error(`it has version ${version}, not ${SCHEMA_VERSION}`);
    }
    const check = db.prepare("PRAGMA quick_check(1)").get()!;
    const found = Object.values(check)[0];
    if (found !== "ok") throw new Error(`it is damaged: ${found}`);
    return db;
  } catch (error) {
    if (db?.isOpen) db.close();
    throw new ResumeError(
      "resume/store",
      `Cannot use "${path}" as a session store: ${errorText(error)}`,
      { cause: error },
    );
  }
}

// Before SQLite makes it, with whatever the umask allows: secrets go in there.
function restrict(path: string): void {
  if (path === ":memory:") return;
  const options = { create: true, append: true, mode: 0o600 };
  Deno.openSync(path, options).close();
}

function readPragma(db: DatabaseSync, name: string): number {
  const row = db.prepare(`PRAGMA ${name}`).get()!;
  return Number(row[name]);
}
