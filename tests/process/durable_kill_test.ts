/** A server that is killed again and again, in mid-sentence, and misses nothing. */
import { runs } from "@holdfast/testkit";
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { Adder, Talk } from "./_adders.ts";

const CLIENTS = 3;

Deno.test("a server that is killed at any moment adds each number once, for each client (I19)", async () => {
  const folder = await Deno.makeTempDir();
  const adder = new Adder(`${folder}/sessions.db`);
  await adder.start();
  const talks: Talk[] = [];
  const resumed = () =>
    talks.reduce((n, { conn }) => n + conn.stats().resumed, 0);
  try {
    for (let i = 0; i < CLIENTS; i++) {
      talks.push(await Talk.start(() => adder.port));
    }
    for (let i = 0; i < runs(5, 200); i++) {
      await delay(30 + Math.random() * 150);
      await adder.end();
      await adder.start();
      // Each of them is back before the next blow.
      while (resumed() < (i + 1) * CLIENTS) await delay(2);
    }
    for (const talk of talks) {
      await talk.finish();
      assertEquals(talk.answers, talk.sent);
      assert(talk.sent > 1_000, `only ${talk.sent} numbers`);
    }
  } finally {
    for (const talk of talks) await talk.abort();
    await adder.end();
    await Deno.remove(folder, { recursive: true });
  }
});
