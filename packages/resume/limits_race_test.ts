/** Limits that hold although many come at the same moment, and harm nobody else. */
import { assertEquals, assertRejects } from "@std/assert";
import { deadline, delay } from "@std/async";
import { openSession, resumeSession } from "./_handshake_client.ts";
import { HandshakeIo } from "./_handshake_io.ts";
import { acceptResumable, connectResumable, type ResumeError } from "./mod.ts";

const STALL_MS = 20_000;

Deno.test("sessions of one key are bounded also when they are opened at once (I21)", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dial = () =>
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const id = new TextEncoder().encode("k");
  const key = crypto.getRandomValues(new Uint8Array(32));
  await using server = acceptResumable(listener, {
    presharedKey: () => key,
    limits: { sessionsPerKeyMax: 2 },
  });
  void (async () => {
    for await (const conn of server) await conn.write(Uint8Array.of(1));
  })();
  // Each hears the server's byte, or why there is none.
  const opened = await Promise.all(Array.from({ length: 10 }, async () => {
    try {
      const client = await connectResumable(dial, {
        presharedKey: { id, key },
      });
      await client.read(new Uint8Array(1));
      return client;
    } catch (error) {
      return (error as ResumeError).code;
    }
  }));
  const clients = opened.filter((one) => typeof one !== "string");
  const codes = new Set(opened.filter((one) => typeof one === "string"));
  assertEquals([clients.length, server.sessions], [2, 2]);
  assertEquals(
    codes.difference(new Set(["resume/busy", "resume/denied"])).size,
    0,
  );
  for (const client of clients) client.abort();
});

Deno.test("the same holds of sessions whose clients come back before they proved themselves (I21)", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dial = () =>
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const id = new TextEncoder().encode("k");
  const key = crypto.getRandomValues(new Uint8Array(32));
  await using server = acceptResumable(listener, {
    presharedKey: () => key,
    authorize: () => Promise.resolve(true),
    limits: { sessionsPerKeyMax: 2 },
  });
  const halves = await Promise.all(Array.from({ length: 8 }, async () => {
    const conn = await dial();
    const io = new HandshakeIo(conn);
    // The proof is lost on its way.
    const send = io.send.bind(io);
    io.send = (bytes) => bytes[4] === 6 ? Promise.resolve() : send(bytes);
    const session = await openSession(io, 1000, { id, key });
    conn.close();
    return session;
  }));
  const told = { received: 0, limit: 1000 };
  const back = await Promise.all(halves.map(async (session) => {
    const conn = await dial();
    try {
      await resumeSession(new HandshakeIo(conn), session, 2, told);
      return "resumed";
    } catch (error) {
      return (error as Error).message;
    } finally {
      conn.close();
    }
  }));
  assertEquals(back.filter((one) => one === "resumed").length, 2);
  assertEquals(server.sessions, 2);
});

Deno.test("streams that nobody reads do not keep others from answering (I12, I13)", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dial = () =>
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  await using server = acceptResumable(listener, {
    limits: { memoryMaxBytes: 100_000 },
  });
  const other = await connectResumable(dial);
  const served = await server.accept();
  const greedy = await connectResumable(dial);
  const unread = await server.accept();
  for (let left = 200_000; left > 0;) {
    left -= await greedy.write(new Uint8Array(left));
  }
  while (unread.stats().arrived < 200_000) await delay(1);
  // More is held than there should be, and none of it will ever be read.
  const total = 50_000;
  void (async () => {
    const into = new Uint8Array(7_000);
    for (let n; (n = await served.read(into)) !== null;) {
      for (let at = 0; at < n;) at += await served.write(into.subarray(at, n));
    }
  })().catch(() => {});
  for (let left = total; left > 0;) {
    left -= await other.write(new Uint8Array(left));
  }
  let echoed = 0;
  const into = new Uint8Array(8_000);
  while (echoed < total) {
    echoed += (await deadline(other.read(into), STALL_MS))!;
  }
  assertEquals(echoed, total);
  greedy.abort();
  other.abort();
});

Deno.test("sessions that end before they are accepted do not pile up (I21)", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dial = () =>
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  await using server = acceptResumable(listener, {
    limits: { sessionsMax: 3 },
  });
  // Each says something and goes; the program looks at none of them yet.
  for (let i = 0; i < 3; i++) {
    const client = await connectResumable(dial);
    await client.write(Uint8Array.of(i));
    client.close();
    await client.closed;
  }
  const error = await assertRejects(() => connectResumable(dial));
  assertEquals((error as ResumeError).code, "resume/busy");
  // What was acknowledged is there, and then there is room again.
  for (let i = 0; i < 3; i++) {
    const into = new Uint8Array(1);
    const accepted = await server.accept();
    assertEquals(await accepted.read(into), 1);
    assertEquals(into[0], i);
    accepted.close();
  }
  const client = await connectResumable(dial);
  client.abort();
});
