// deno-lint-ignore-file no-console
/**
 * A tiny game whose server is killed (`kill -9`) every two seconds, while two
 * players go on.
 *
 * ```sh
 * deno task demo:durable [--kills N] [--json]
 * ```
 *
 * Each player knows what every throw of its die must be: one that was lost, or
 * made twice, would change all after it. Exit code 1 if that happens.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { connectResumable, type ResumableConn } from "@holdfast/resume";
import {
  decodeScore,
  type Score,
  SCORE_BYTES,
  START,
  throwDie,
} from "./durable/game.ts";

const EVERY_MS = 2_000;
const SERVER = new URL("./durable/server.ts", import.meta.url).pathname;

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "4" },
    json: { type: "boolean", default: false },
  },
});
const kills = Number(values.kills);

function say(text: string, fact: Record<string, unknown>): void {
  console.log(values.json ? JSON.stringify(fact) : text);
}

class Player {
  readonly name: string;
  readonly conn: ResumableConn;
  score: Score = START;
  wrong = 0;
  pauseMs = 0;
  #playing = true;
  readonly #over: Promise<void>;

  constructor(name: string, conn: ResumableConn) {
    this.name = name;
    this.conn = conn;
    conn.on("resumed", ({ pauseMs }) => this.pauseMs = pauseMs);
    this.#over = this.#play();
  }

  async #play(): Promise<void> {
    const into = new Uint8Array(SCORE_BYTES);
    while (this.#playing) {
      await this.conn.write(new Uint8Array(1));
      for (let at = 0; at < SCORE_BYTES;) {
        at += (await this.conn.read(into.subarray(at)))!;
      }
      const expected = throwDie(this.score);
      this.score = decodeScore(into);
      if (JSON.stringify(this.score) !== JSON.stringify(expected)) this.wrong++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async stop(): Promise<void> {
    this.#playing = false;
    await this.#over;
    this.conn.close();
    await this.conn.closed;
  }
}

async function startServer(
  port: number,
  file: string,
): Promise<{ readonly child: Deno.ChildProcess; readonly port: number }> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--allow-net=127.0.0.1", "--allow-read"],
      ...["--allow-write", SERVER, String(port), file],
    ],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  return { child, port: Number(new TextDecoder().decode(value)) };
}

async function kill(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await child.stdout.cancel();
  await child.status;
}

const folder = await Deno.makeTempDir();
const file = `${folder}/sessions.db`;
let { child, port } = await startServer(0, file);
const dial = () => Deno.connect({ hostname: "127.0.0.1", port });
const players: Player[] = [];
for (const name of ["Ada", "Bob"]) {
  const conn = await connectResumable(dial, { redialMaxMs: 100 });
  players.push(new Player(name, conn));
}
if (!values.json) {
  console.log("Two players throw dice; the server is killed every 2 seconds.");
}
for (let i = 1; i <= kills; i++) {
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  const before = players.map(({ score }) => score.throws);
  const resumed = players.map(({ conn }) => conn.once("resumed"));
  await kill(child);
  ({ child, port } = await startServer(port, file));
  await Promise.all(resumed);
  for (const [j, { name, score, pauseMs }] of players.entries()) {
    const waited = Math.round(pauseMs);
    say(
      `  kill ${i}: ${name} goes on after ${waited} ms, at throw ${score.throws} (${
        before[j]
      } before), score ${score.sum}`,
      { type: "killed", kill: i, player: name, pauseMs: waited, ...score },
    );
  }
}
for (const player of players) await player.stop();
await kill(child);
await Deno.remove(folder, { recursive: true });
let wrong = 0;
for (const { name, score, wrong: own } of players) {
  wrong += own;
  say(
    `\n  ${name}: ${score.throws} throws, score ${score.sum}; lost or made twice: ${own}`,
    { type: "result", player: name, wrong: own, ...score },
  );
}
Deno.exitCode = wrong === 0 ? 0 : 1;
