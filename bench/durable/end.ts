// deno-lint-ignore-file no-console -- a process of the benchmark
/**
 * A process of the benchmark, by its first argument:
 *
 * - `serve PORT FILE BYTES`: a durable server that writes so many bytes to each
 *   client, and echoes after that; in place of the file, the address of a Redis.
 * - `bare FILE BYTES`: the same bytes appended to SQLite by a bare loop, in the
 *   same mode; prints the milliseconds.
 */
import { acceptResumable, type ResumableConn } from "@holdfast/resume";
import { redisStore } from "@holdfast/resume/redis";
import { sqliteStore } from "@holdfast/resume/sqlite";
import { DatabaseSync } from "node:sqlite";

const PIECE_BYTES = 64 * 1024;
const COMMIT_BYTES = 1024 * 1024;

async function serve(port: number, file: string, bytes: number): Promise<void> {
  const store = file.startsWith("redis:")
    ? redisStore(file)
    : sqliteStore(file);
  const listener = Deno.listen({ hostname: "127.0.0.1", port });
  const server = acceptResumable(listener, { store });
  console.log(listener.addr.port);
  const piece = crypto.getRandomValues(new Uint8Array(PIECE_BYTES));
  const talk = async (conn: ResumableConn): Promise<void> => {
    const into = new Uint8Array(PIECE_BYTES);
    if (bytes > 0 && !conn.restored) {
      await conn.read(into); // the word to begin
      while (conn.bytesWritten < bytes) await conn.write(piece);
    }
    for (let n; (n = await conn.read(into)) !== null;) {
      await conn.write(into.subarray(0, n));
    }
  };
  for await (const conn of server) talk(conn).catch(() => {});
}

function bare(file: string, bytes: number): void {
  const db = new DatabaseSync(file);
  db.exec(`
    PRAGMA page_size = 16384;
    PRAGMA locking_mode = EXCLUSIVE;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE output (id INTEGER PRIMARY KEY, frames BLOB NOT NULL) STRICT;
  `);
  const append = db.prepare("INSERT INTO output (frames) VALUES (?)");
  const piece = crypto.getRandomValues(new Uint8Array(PIECE_BYTES));
  const start = performance.now();
  for (let at = 0; at < bytes; at += COMMIT_BYTES) {
    db.exec("BEGIN IMMEDIATE");
    for (let i = 0; i < COMMIT_BYTES; i += PIECE_BYTES) append.run(piece);
    db.exec("COMMIT");
  }
  console.log(performance.now() - start);
  db.close();
}

const [task, first, second, third] = Deno.args;
if (task === "serve") await serve(Number(first), second!, Number(third));
else bare(first!, Number(second));
