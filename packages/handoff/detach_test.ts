import { assert, assertEquals, assertRejects } from "@std/assert";
import { runs, testWith } from "@holdfast/testkit";
import { createHash, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { adopt } from "./adopt.ts";
import { detach, type Detachable } from "./detach.ts";
import type { DetachedSocket } from "./detached_socket.ts";
import { HandoffError } from "./error.ts";
import { listen } from "./listen.ts";
import { libc, useLibc } from "./_libc.ts";
import { countFds, countFdsAtMost } from "./testdata/fds.ts";

// Else the first test would seem to leak it.
useLibc();
libc();
const HOST = "127.0.0.1";

/** A connection of each kind that has a reader, and its plain peer. */
const KINDS: Record<
  string,
  () => Promise<{ conn: Detachable; peer: Deno.TcpConn }>
> = {
  "SocketConn": async () => {
    using listener = await listen({ port: 0 });
    const [peer, conn] = await Promise.all([
      Deno.connect({ hostname: HOST, port: listener.addr.port }),
      listener.accept(),
    ]);
    return { conn, peer };
  },
  "node:net socket": async () => {
    using listener = Deno.listen({ hostname: HOST, port: 0 });
    const conn = connect(listener.addr.port, HOST);
    const [peer] = await Promise.all([
      listener.accept(),
      new Promise((resolve) => conn.once("connect", resolve)),
    ]);
    return { conn, peer };
  },
  "accepted Deno.TcpConn": async () => {
    using listener = Deno.listen({ hostname: HOST, port: 0 });
    const [peer, conn] = await Promise.all([
      Deno.connect({ hostname: HOST, port: listener.addr.port }),
      listener.accept(),
    ]);
    return { conn, peer };
  },
  "connected Deno.TcpConn": async () => {
    using listener = Deno.listen({ hostname: HOST, port: 0 });
    const [conn, peer] = await Promise.all([
      Deno.connect({ hostname: HOST, port: listener.addr.port }),
      listener.accept(),
    ]);
    return { conn, peer };
  },
};

/** Reads `bytes` in all by the interface of the connection, into a hash. */
async function hashSome(
  conn: Detachable,
  bytes: number,
  hash: ReturnType<typeof createHash>,
): Promise<number> {
  let got = 0;
  if ("read" in conn && !("on" in conn)) {
    const buffer = new Uint8Array(30_000);
    while (got < bytes) {
      const size = Math.min(buffer.length, bytes - got);
      const count = await (conn as Deno.Conn).read(buffer.subarray(0, size));
      if (count === null) break;
      hash.update(buffer.subarray(0, count));
      got += count;
    }
    return got;
  }
  const socket = conn as Socket;
  while (got < bytes) {
    const chunk: Uint8Array | null = socket.read();
    if (chunk === null) {
      await new Promise((resolve) => socket.once("readable", resolve));
      continue;
    }
    hash.update(chunk);
    got += chunk.byteLength;
  }
  return got;
}

/** What is left unread at a random moment, with or without a pending read. */
async function cut(
  conn: Detachable,
  pending: boolean,
): Promise<DetachedSocket> {
  if (!pending) return await detach(conn);
  if (!("read" in conn) || "on" in conn) {
    (conn as Socket).once("readable", () => {});
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
    return await detach(conn);
  }
  const buffer = new Uint8Array(65_536);
  const reading = (conn as Deno.Conn).read(buffer)
    .then((count) => count === null ? null : buffer.slice(0, count));
  // Ours rejects without having taken a byte; Deno's gives what it has.
  reading.catch(() => {});
  if (Math.random() < 0.5) {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
  }
  return await detach(conn, { pendingRead: reading });
}

for (const [name, make] of Object.entries(KINDS)) {
  testWith({
    name: `detach() of a ${name} loses no byte, whatever read was pending`,
    needs: ["linux"],
    timeout: 120_000,
    fn: async () => {
      for (let run = 0; run < runs(15, 500); run++) {
        const { conn, peer } = await make();
        const data = randomBytes(65_536);
        const sent = createHash("sha256"), received = createHash("sha256");
        const copies = 12;
        const writing = (async () => {
          for (let i = 0; i < copies; i++) {
            sent.update(data);
            let at = 0;
            while (at < data.length) at += await peer.write(data.subarray(at));
          }
          await peer.closeWrite();
        })();
        const size = copies * data.length;
        const some = Math.floor(Math.random() * size * 0.8);
        const first = await hashSome(conn, some, received);
        const pending = run % 2 === 0;
        const detached = await cut(conn, pending);
        const again = await adopt(detached, run % 3 ? "conn" : "socket");
        const rest = await hashSome(
          again as Detachable,
          size - first,
          received,
        );
        await writing;
        assertEquals(first + rest, size);
        assertEquals(received.digest("hex"), sent.digest("hex"));
        if ("destroy" in again) again.destroy();
        else again.close();
        peer.close();
      }
    },
  });
}

/** Sends a line each way through an adopted connection. */
async function talks(conn: Deno.Conn, peer: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(16);
  await conn.write(new TextEncoder().encode("to peer"));
  assertEquals(await peer.read(buffer), 7);
  await peer.write(new TextEncoder().encode("back"));
  assertEquals(await conn.read(buffer), 4);
}

for (const [name, make] of Object.entries(KINDS)) {
  testWith({
    name: `detach() of a ${name} does not shut it down, and leaks nothing`,
    needs: ["linux", "sh"],
    fn: async () => {
      const before = await countFds();
      for (let i = 0; i < 5; i++) {
        const { conn, peer } = await make();
        const detached = await detach(conn);
        assertEquals(detached.kind, "tcp-conn");
        assertEquals(
          (detached.remoteAddr as Deno.NetAddr).port,
          peer.localAddr.port,
        );
        const again = await adopt(detached, "conn");
        assert(detached.closed);
        await talks(again, peer);
        assertEquals(again.remoteAddr, { ...peer.localAddr });
        again.close();
        assertEquals(await peer.read(new Uint8Array(1)), null);
        peer.close();
      }
      const slack = 2; // What Deno opens for good when first used.
      assert(await countFdsAtMost(before + slack) <= before + slack);
    },
  });
}

testWith({
  name: "detach() and adopt() move Unix connections and listeners",
  needs: ["linux"],
  fn: async () => {
    const path = `${await Deno.makeTempDir()}/x.sock`;
    const listener = await listen({ path });
    assertEquals(listener.addr, { transport: "unix", path });
    using again = await adopt(await detach(listener), "listener");
    assertEquals(again.addr, { transport: "unix", path });
    const [client, conn] = await Promise.all([
      Deno.connect({ transport: "unix", path }),
      again.accept(),
    ]);
    const held = await detach(conn);
    assertEquals([held.kind, held.localAddr], [
      "unix-conn",
      { transport: "unix", path },
    ]);
    using moved = await adopt(held, "conn");
    await talks(moved, client);
    const theirs = await detach(client);
    assertEquals(theirs.kind, "unix-conn");
    using mine = await adopt(theirs, "conn");
    await talks(mine, moved);
  },
});

testWith({
  name: "detach() and adopt() move servers and datagram sockets",
  needs: ["linux"],
  fn: async () => {
    const web = createHttpServer();
    await new Promise<void>((resolve) => web.listen(0, HOST, resolve));
    const { port } = web.address() as { port: number };
    const held = await detach(web);
    assertEquals([held.kind, (held.localAddr as Deno.NetAddr).port], [
      "tcp-listener",
      port,
    ]);
    // Who connects while nobody accepts is served by the next one.
    using early = await Deno.connect({ hostname: HOST, port });
    const server = await adopt(held, "server");
    const accepted = new Promise<Socket>((resolve) =>
      server.once("connection", resolve)
    );
    const served = await accepted;
    served.write("served");
    assertEquals(await early.read(new Uint8Array(16)), 6);
    served.destroy();
    await new Promise((resolve) => server.close(resolve));

    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, HOST, resolve));
    const address = socket.address();
    const datagram = await detach(socket);
    assertEquals(datagram.localAddr, {
      transport: "udp",
      hostname: HOST,
      port: address.port,
    });
    const sender = createSocket("udp4");
    sender.send("waiting", address.port, HOST);
    const next = await adopt(datagram, "datagram");
    const message = await new Promise<string>((resolve) =>
      next.once("message", (bytes) => resolve(String(bytes)))
    );
    assertEquals(message, "waiting");
    next.close();
    sender.close();

    const deno = Deno.listen({ hostname: HOST, port: 0 });
    const { port: denoPort } = deno.addr;
    using mine = await adopt(await detach(deno), "listener");
    const [client, conn] = await Promise.all([
      Deno.connect({ hostname: HOST, port: denoPort }),
      mine.accept(),
    ]);
    await talks(conn, client);
    conn.close();
    client.close();
  },
});

Deno.test("what cannot be detached is refused with the best alternative", async () => {
  const refused = async (socket: unknown, words: string): Promise<void> => {
    const error = await assertRejects(
      () => detach(socket as Detachable),
      HandoffError,
      words,
    );
    assertEquals(error.code, "handoff/not-supported");
  };
  await refused({ handshake() {} }, "before its handshake");
  await refused({ encrypted: true }, "@holdfast/resume");
  await refused({ goaway() {}, settings() {} }, "GOAWAY");
  await refused(new WebSocket("ws://127.0.0.1:1"), "1012");
  await assertRejects(
    () => detach({} as Detachable),
    TypeError,
    "the object is none",
  );
});

Deno.test("a socket is adopted once, and as what it is", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  using held = await detach(server);
  await assertRejects(
    () => adopt(held, "conn"),
    TypeError,
    "it is a listening TCP socket",
  );
  await assertRejects(() => adopt(held, "x" as "conn"), TypeError, "one of");
  held.close();
  await assertRejects(
    () => adopt(held, "listener"),
    Deno.errors.BadResource,
    "already",
  );
  await assertRejects(() => adopt(0, "conn"), Deno.errors.BadResource);
});
