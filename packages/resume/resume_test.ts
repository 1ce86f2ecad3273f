import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { runs } from "@holdfast/testkit";
import { Emitter } from "@holdfast/events/emitter";
import {
  acceptResumable,
  connectResumable,
  type ResumableConn,
  ResumeError,
} from "./mod.ts";
import { withoutReplay } from "./testing.ts";
import { openPair, readPattern, writePattern } from "./testdata/pair.ts";

const MIB = 1024 * 1024;

/** Both directions at once, to the end. */
async function exchange(a: ResumableConn, b: ResumableConn, bytes: number) {
  await Promise.all([
    writePattern(a, 1, a.bytesWritten, bytes).then(() => a.closeWrite()),
    writePattern(b, 2, b.bytesWritten, bytes).then(() => b.closeWrite()),
    readPattern(a, 2, a.bytesRead, bytes),
    readPattern(b, 1, b.bytesRead, bytes),
  ]);
  const rest = new Uint8Array(1);
  assertEquals(await a.read(rest), null);
  assertEquals(await b.read(rest), null);
}

Deno.test("both directions at full speed survive resets, also those that only one side sees", async () => {
  const heartbeatMs = 50;
  await using pair = await openPair({
    accept: { heartbeatMs },
    connect: { heartbeatMs },
  });
  const { client, accepted, proxy } = pair;
  const total = runs(24, 800) * MIB;
  const done = exchange(client, accepted, total);
  let running = true;
  const sides = ["both", "client", "server"] as const;
  const cutting = (async () => {
    for (let i = 0; running && i < runs(30, 1_000); i++) {
      const before = proxy.bytes;
      while (running && proxy.bytes < before + 256 * 1024) await delay(1);
      if (running) proxy.cut(sides[i % sides.length]);
    }
  })();
  await done.finally(() => running = false);
  await cutting;
  assert(proxy.cuts >= 10, `only ${proxy.cuts} cuts`);
  assert(client.stats().resumed >= 5);
  assertEquals(client.stats().acked, total);
});

Deno.test("without replay the same cut is noticed as a loss", async () => {
  const heartbeatMs = 50;
  await using pair = await openPair({
    accept: withoutReplay({ heartbeatMs }),
    connect: withoutReplay({ heartbeatMs }),
    proxy: { delayMs: 5 },
  });
  const { client, accepted, proxy } = pair;
  const done = exchange(client, accepted, 8 * MIB);
  const timeout = new AbortController();
  // What was lost shows as a gap, or as two ends that wait for each other.
  const outcome = Promise.race([
    done.then(() => "complete", () => "failed"),
    delay(2_000, timeout).then(() => "stalled", () => "stalled"),
  ]);
  for (let i = 0; i < 3; i++) {
    await delay(30);
    proxy.cut();
  }
  assert(await outcome !== "complete");
  timeout.abort();
  client.abort();
  await done.catch(() => {});
});

Deno.test("events tell of a cut and of the resumption, with what was sent again", async () => {
  await using pair = await openPair({ proxy: { delayMs: 20 } });
  const { client, accepted, proxy } = pair;
  const detached = client.once("detached");
  const resumed = client.once("resumed");
  const served = pair.server.once("session-resumed");
  await writePattern(client, 0, 0, 1000);
  await delay(5); // on its way, held back by the proxy
  proxy.cut();
  assertEquals((await detached).pendingBytes, 1000);
  const event = await resumed;
  assertEquals(event.replayedBytes, 1000);
  assertEquals(event.epoch, 2);
  assert(event.pauseMs > 0);
  assertEquals((await served).sid, client.sid);
  assertEquals(client.state, { name: "attached", epoch: 2 });
  await readPattern(accepted, 0, 0, 1000);
});

Deno.test("writes wait at the cap while there is no transport, and go on after (I13)", async () => {
  await using pair = await openPair({ connect: { sendBufferBytes: 10_000 } });
  const { client, accepted, proxy, listener } = pair;
  proxy.forward("127.0.0.1", 1); // nobody there
  proxy.cut();
  assertEquals(await client.write(new Uint8Array(25_000)), 10_000);
  let waited = true;
  const second = client.write(new Uint8Array(25_000)).finally(() =>
    waited = false
  );
  await delay(50);
  assert(waited);
  assertEquals(client.state.name, "detached");
  proxy.forward("127.0.0.1", listener.addr.port);
  const into = new Uint8Array(64_000);
  let got = 0;
  while (got < 10_000) got += (await accepted.read(into))!;
  assert(await second > 0);
});

Deno.test("a server's sessions go on in another one, at the very byte (I4)", async () => {
  await using pair = await openPair();
  const { client, proxy } = pair;
  const total = 6 * MIB;
  const work = Promise.all([
    writePattern(client, 1, 0, total).then(() => client.closeWrite()),
    readPattern(client, 2, 0, total),
  ]);
  // A program that serves until it is suspended, and knows where it stands.
  const serve = (conn: ResumableConn) =>
    Promise.allSettled([
      writePattern(conn, 2, conn.bytesWritten, total),
      readPattern(conn, 1, conn.bytesRead, total),
    ]);
  let server = pair.server;
  let conn = pair.accepted;
  let listener = pair.listener;
  for (let i = 0; i < 3; i++) {
    const serving = serve(conn);
    while (conn.bytesRead < (i + 1) * MIB) await delay(1);
    const state = await server.suspend();
    for (const end of await serving) {
      if (end.status === "rejected") {
        assertEquals((end.reason as ResumeError).code, "resume/suspended");
      }
    }
    const [read, written] = [conn.bytesRead, conn.bytesWritten];
    listener.close();
    listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    proxy.forward("127.0.0.1", listener.addr.port);
    server = acceptResumable(listener, { restore: state });
    const restored = await server.accept();
    assert(restored.restored);
    assertEquals(restored.sid, conn.sid);
    assertEquals([restored.bytesRead, restored.bytesWritten], [read, written]);
    conn = restored;
  }
  await serve(conn);
  await work;
  // What the client had sent ahead may have lasted a server to its end.
  assert(client.stats().resumed >= 1);
  client.abort();
  await server.close();
});

Deno.test("a client gives up after the time to live, and says how much arrived", async () => {
  await using pair = await openPair({ accept: { ttlMs: 200 } });
  const { client, accepted, proxy } = pair;
  await client.write(new Uint8Array(5));
  assertEquals(await accepted.read(new Uint8Array(9)), 5);
  await delay(60); // the acknowledgement
  const lost = accepted.once("lost");
  proxy.forward("127.0.0.1", 1);
  proxy.cut();
  const error = await assertRejects(
    () => client.read(new Uint8Array(1)),
    ResumeError,
  );
  assertEquals(error.code, "resume/lost");
  assertEquals(error.lastAckedOffset, 5);
  assertEquals((await lost).code, "resume/lost");
  await assertRejects(() => accepted.write(new Uint8Array(1)), ResumeError);
  assertEquals(pair.server.sessions, 0);
});

Deno.test("a client of a server that forgot is told so, and gets no fresh session silently (I16)", async () => {
  await using pair = await openPair();
  const { client, proxy } = pair;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using _other = acceptResumable(listener);
  proxy.forward("127.0.0.1", listener.addr.port);
  proxy.cut();
  const error = await assertRejects(
    () => client.read(new Uint8Array(1)),
    ResumeError,
  );
  assertEquals(error.code, "resume/refused");
});

Deno.test("close() delivers what was written, through a cut; both ends let go (I15)", async () => {
  await using pair = await openPair({ proxy: { delayMs: 5 } });
  const { client, accepted, proxy, server } = pair;
  await writePattern(client, 3, 0, 200_000);
  client.close();
  proxy.cut();
  await readPattern(accepted, 3, 0, 200_000);
  assertEquals(await accepted.read(new Uint8Array(1)), null);
  await client.closed;
  assertEquals(client.state, { name: "closed" });
  await assertRejects(
    () => accepted.write(new Uint8Array(1)),
    Deno.errors.BrokenPipe,
  );
  await accepted.closed;
  accepted.close();
  assertEquals(server.sessions, 0);
});

Deno.test("network news: a lost path is left at once, and a wait ends", async () => {
  using network = new Emitter<{ readonly type: "path-lost" | "online" }>();
  await using pair = await openPair({
    connect: { network, redialMaxMs: 60_000 },
  });
  const { client, proxy, listener } = pair;
  const resumed = client.once("resumed");
  network.emit({ type: "path-lost" });
  assertEquals(client.state.name, "detached");
  await resumed;
  proxy.forward("127.0.0.1", 1);
  proxy.cut();
  // After some failures the wait is long; news of the network end it.
  for (let i = 0; i < 12; i++) {
    await client.once("redial-failed");
    network.emit({ type: "online" });
  }
  proxy.forward("127.0.0.1", listener.addr.port);
  const again = client.once("resumed");
  network.emit({ type: "online" });
  await again;
});

Deno.test("network news: to a better path by make before break, at full speed, both ways", async () => {
  using network = new Emitter<{ readonly type: "path-changed" }>();
  await using pair = await openPair({ connect: { network } });
  const { client, accepted, proxy, listener } = pair;
  const total = 16 * MIB;
  const done = exchange(client, accepted, total);
  for (let i = 0; i < 10; i++) {
    const resumed = client.once("resumed");
    network.emit({ type: "path-changed" });
    // Several at once make one dial, and one more for the last.
    network.emit({ type: "path-changed" });
    assertEquals(client.state.name, "attached");
    await resumed;
  }
  await done;
  // The old transport carried the stream until the new one was there.
  let transports = 0;
  for (const what of pair.order) {
    transports += what === "connected" ? 1 : -1;
    assert(transports >= 1, pair.order.join());
  }
  // Where the new path fails, the old one goes on.
  proxy.forward("127.0.0.1", 1);
  const failed = client.once("redial-failed");
  network.emit({ type: "path-changed" });
  await failed;
  assertEquals(client.state.name, "attached");
  proxy.forward("127.0.0.1", listener.addr.port);
});

Deno.test("a full buffer without a transport rejects where that was asked for", async () => {
  await using pair = await openPair({
    connect: { sendBufferBytes: 1_000, whenDetached: "fail" },
  });
  const { client, proxy } = pair;
  proxy.forward("127.0.0.1", 1);
  await client.write(new Uint8Array(1_000)).catch(() => {});
  const detached = client.once("detached");
  proxy.cut();
  await detached;
  while (client.bytesWritten - client.stats().acked < 1_000) {
    await client.write(new Uint8Array(1_000));
  }
  const error = await assertRejects(
    () => client.write(new Uint8Array(1)),
    ResumeError,
  );
  assertEquals(error.code, "resume/buffer-full");
});

Deno.test("a peer that does not read is told of once, as slow", async () => {
  await using pair = await openPair({
    connect: { sendBufferBytes: 10_000, heartbeatMs: 300 },
    accept: { receiveWindowBytes: 10_000, heartbeatMs: 300 },
  });
  const { client, accepted } = pair;
  const slow = client.once("slow");
  let told = 0;
  client.on("slow", () => told++);
  const writing = writePattern(client, 1, 0, 30_000);
  const event = await slow;
  assert(event.blockedMs >= 1_000 && event.pendingBytes === 10_000);
  await delay(700);
  assertEquals(told, 1);
  await readPattern(accepted, 1, 0, 30_000);
  await writing;
});

Deno.test("an aborted signal ends connecting, and the connection", async () => {
  const reason = new Error("enough");
  await assertRejects(
    () =>
      connectResumable(() => Promise.reject(new Error("no")), {
        signal: AbortSignal.abort(reason),
      }),
    Error,
    "enough",
  );
  const hanging = new AbortController();
  const connecting = connectResumable(
    ({ signal }) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), {
          once: true,
        })
      ),
    { signal: hanging.signal },
  );
  hanging.abort(reason);
  await assertRejects(() => connecting, Error, "enough");

  const control = new AbortController();
  await using pair = await openPair({ connect: { signal: control.signal } });
  control.abort();
  await pair.client.closed;
  const error = await assertRejects(
    () => pair.accepted.read(new Uint8Array(1)),
    ResumeError,
  );
  assertEquals(error.code, "resume/reset");
});

Deno.test("readable and writable carry the stream; the end of one leaves the other", async () => {
  await using pair = await openPair();
  const { client, accepted } = pair;
  const writer = client.writable.getWriter();
  await writer.write(new TextEncoder().encode("up"));
  await writer.close();
  let text = "";
  for await (const chunk of accepted.readable) {
    text += new TextDecoder().decode(chunk);
  }
  assertEquals(text, "up");
  await accepted.write(new TextEncoder().encode("down"));
  await accepted.closeWrite();
  assertEquals(await new Response(client.readable).text(), "down");
});
