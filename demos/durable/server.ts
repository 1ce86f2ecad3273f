// deno-lint-ignore-file no-console -- a program of its own
/**
 * The server of the game: for each byte that a player sends, one throw, and the
 * score after it. All that it knows of a player is committed with the stream.
 *
 *     server.ts PORT FILE
 */
import { acceptResumable, type ResumableConn } from "@holdfast/resume";
import { sqliteStore } from "@holdfast/resume/sqlite";
import { decodeScore, encodeScore, START, throwDie } from "./game.ts";

async function play(conn: ResumableConn): Promise<void> {
  let score = conn.appState === undefined ? START : decodeScore(conn.appState);
  const into = new Uint8Array(64);
  for (let n; (n = await conn.read(into)) !== null;) {
    for (let i = 0; i < n; i++) {
      score = throwDie(score);
      await conn.write(encodeScore(score));
    }
    // The throws, the score and the answers: all of it is kept, or nothing.
    await conn.commit(conn.bytesRead, encodeScore(score));
  }
  conn.close();
}

const [port, file] = Deno.args;
await using store = sqliteStore(file!);
const listener = Deno.listen({ hostname: "127.0.0.1", port: Number(port) });
const server = acceptResumable(listener, { store, commits: "manual" });
console.log(listener.addr.port);
for await (const conn of server) play(conn).catch(() => {});
