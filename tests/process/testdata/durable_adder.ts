// deno-lint-ignore-file no-console -- a program of its own
/**
 * A server that adds: for each number of 4 bytes that comes it says the sum so
 * far. Its state is the sum; it is killed at any moment, and started again.
 *
 *     durable_adder.ts PORT FILE
 *     durable_adder.ts PORT redis://HOST:PORT
 *
 * Asked to end, it stops in the middle of whatever it does, and leaves its
 * sessions to the others.
 */
import { acceptResumable, type ResumableConn } from "@holdfast/resume";
import { redisStore } from "@holdfast/resume/redis";
import { sqliteStore } from "@holdfast/resume/sqlite";

const NUMBER_BYTES = 4;

async function add(conn: ResumableConn): Promise<void> {
  const kept = conn.appState;
  let sum = kept === undefined ? 0 : new DataView(kept.buffer).getFloat64(0);
  let used = conn.bytesRead;
  const into = new Uint8Array(64 * 1024);
  let held = 0;
  for (;;) {
    const n = await conn.read(into.subarray(held));
    if (n === null) break;
    held += n;
    const whole = Math.floor(held / NUMBER_BYTES);
    const view = new DataView(into.buffer);
    const answers = new Uint8Array(whole * 8);
    const out = new DataView(answers.buffer);
    for (let i = 0; i < whole; i++) {
      sum += view.getUint32(i * NUMBER_BYTES);
      out.setFloat64(i * 8, sum);
    }
    for (let at = 0; at < answers.length;) {
      at += await conn.write(answers.subarray(at));
    }
    into.copyWithin(0, whole * NUMBER_BYTES, held);
    held -= whole * NUMBER_BYTES;
    used += whole * NUMBER_BYTES;
    const state = new Uint8Array(8);
    new DataView(state.buffer).setFloat64(0, sum);
    await conn.commit(used, state);
  }
  await conn.closeWrite();
  conn.close();
}

const [port, place] = Deno.args;
const store = place!.startsWith("redis:")
  ? redisStore(place!, { timeoutMs: 500 })
  : sqliteStore(place!);
const listener = Deno.listen({ hostname: "127.0.0.1", port: Number(port) });
const server = acceptResumable(listener, {
  store,
  commits: "manual",
  heartbeatMs: 300,
});
Deno.addSignalListener("SIGTERM", async () => {
  server.notify({ kind: "draining" });
  await server.suspend();
  await store[Symbol.asyncDispose](); // Not before: it had things to record.
  Deno.exit(0);
});
console.log(listener.addr.port);
for await (const conn of server) add(conn).catch(() => {});
