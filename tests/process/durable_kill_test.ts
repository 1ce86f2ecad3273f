/** A server that is killed again and again, in mid-sentence, and misses nothing. */
import { connectResumable, type ResumableConn } from "@holdfast/resume";
import { runs } from "@holdfast/testkit";
import { assert, assertEquals } from "@std/assert";
import { deadline, delay } from "@std/async";

const PROGRAM = new URL("testdata/durable_adder.ts", import.meta.url).pathname;
const STALL_MS = 30_000;
const CLIENTS = 3;

/** A server process on a port that stays the same. */
class Adder {
  port = 0;
  kills = 0;
  readonly #file: string;
  #child: Deno.ChildProcess | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  async start(): Promise<void> {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--allow-net=127.0.0.1", "--allow-read", "--allow-write"],
        ...[PROGRAM, String(this.port), this.#file],
      ],
      stdout: "piped",
    }).spawn();
    const reader = this.#child.stdout.getReader();
    const { value } = await deadline(reader.read(), STALL_MS);
    assert(value !== undefined, "the server ended before it listened");
    this.port = Number(new TextDecoder().decode(value));
    reader.releaseLock();
  }

  async kill(): Promise<void> {
    this.kills++;
    this.#child!.kill("SIGKILL");
    await this.#child!.stdout.cancel();
    await this.#child!.status;
  }
}

interface Talk {
  readonly conn: ResumableConn;
  sum: number;
  sent: number;
  answers: number;
}

/** Sends numbers until it is told to stop, and ends. */
async function ask(talk: Talk, enough: () => boolean): Promise<void> {
  while (!enough()) {
    const count = 1 + Math.floor(Math.random() * 400);
    const bytes = new Uint8Array(count * 4);
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < count; i++) view.setUint32(i * 4, (talk.sent++) % 997);
    for (let at = 0; at < bytes.length;) {
      at += await talk.conn.write(bytes.subarray(at));
    }
    if (talk.sent - talk.answers > 2_000) await delay(1);
  }
  await talk.conn.closeWrite();
}

/** Every sum, in order, once: anything else is a loss or a repetition. */
async function listen(talk: Talk): Promise<void> {
  const into = new Uint8Array(64 * 1024);
  let held = 0;
  for (let n; (n = await talk.conn.read(into.subarray(held))) !== null;) {
    held += n;
    const view = new DataView(into.buffer);
    let at = 0;
    for (; at + 8 <= held; at += 8) {
      talk.sum += talk.answers % 997;
      assertEquals(view.getFloat64(at), talk.sum, `answer ${talk.answers}`);
      talk.answers++;
    }
    into.copyWithin(0, at, held);
    held -= at;
  }
}

Deno.test("a server that is killed at any moment adds each number once, for each client (I19)", async () => {
  const folder = await Deno.makeTempDir();
  const adder = new Adder(`${folder}/sessions.db`);
  await adder.start();
  const talks: Talk[] = [];
  for (let i = 0; i < CLIENTS; i++) {
    const conn = await connectResumable(
      () => Deno.connect({ hostname: "127.0.0.1", port: adder.port }),
      { redialMaxMs: 50, heartbeatMs: 200 },
    );
    talks.push({ conn, sum: 0, sent: 0, answers: 0 });
  }
  let enough = false;
  const work = Promise.all(
    talks.flatMap((talk) => [ask(talk, () => enough), listen(talk)]),
  );
  const resumed = () =>
    talks.reduce((n, { conn }) => n + conn.stats().resumed, 0);
  try {
    for (let i = 0; i < runs(5, 200); i++) {
      await delay(30 + Math.random() * 150);
      await adder.kill();
      await adder.start();
      // Each of them is back before the next blow.
      while (resumed() < (i + 1) * CLIENTS) await delay(2);
    }
    enough = true;
    await deadline(work, STALL_MS);
    for (const { conn, sent, answers } of talks) {
      assertEquals(answers, sent);
      assert(sent > 1_000, `only ${sent} numbers`);
      conn.close();
      await conn.closed;
    }
  } finally {
    enough = true;
    for (const { conn } of talks) conn.abort();
    await work.catch(() => {});
    await adder.kill();
    await Deno.remove(folder, { recursive: true });
  }
});
