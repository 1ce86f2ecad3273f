import { CutProxy } from "@holdfast/testkit/proxy";
import { testWith } from "@holdfast/testkit";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { deadline, delay } from "@std/async";
import { acceptResumable } from "./mod.ts";
import {
  connectTunnel,
  parseTunnelAddress,
  serveTunnel,
  type ServeTunnelOptions,
  type TunnelAddress,
  type TunnelClient,
  type TunnelServer,
} from "./tunnel.ts";
import type { ConnectTunnelOptions } from "./tunnel.ts";

const LOOPBACK = { hostname: "127.0.0.1", port: 0 };
const STALL_MS = 30_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

const tcp = (port: number): TunnelAddress => ({
  transport: "tcp",
  hostname: "127.0.0.1",
  port,
});

interface World extends AsyncDisposable {
  readonly server: TunnelServer;
  readonly client: TunnelClient;
  readonly proxy: CutProxy;
  /** Connects as a program does. */
  program(): Promise<Deno.TcpConn>;
}

/** Both ends of a tunnel, with a proxy between that cuts. */
async function world(
  accept: Omit<ServeTunnelOptions, "targets"> & {
    readonly targets: readonly TunnelAddress[];
  },
  connect: ConnectTunnelOptions = {},
): Promise<World> {
  const proxy = await CutProxy.start();
  const middle = Deno.listen(LOOPBACK);
  const server = serveTunnel(middle, accept);
  proxy.forward("127.0.0.1", middle.addr.port);
  const entry = Deno.listen(LOOPBACK);
  const client = connectTunnel(
    entry,
    () => Deno.connect({ hostname: "127.0.0.1", port: proxy.port }),
    { ...connect, connect: { redialMaxMs: 50, ...connect.connect } },
  );
  return {
    ...{ server, client, proxy },
    program: () =>
      Deno.connect({ hostname: "127.0.0.1", port: entry.addr.port }),
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.close();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await conn.write(bytes.subarray(at));
  }
}

async function readAll(conn: Deno.Conn): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const into = new Uint8Array(64 * 1024);
  for (let n; (n = await conn.read(into)) !== null;) {
    parts.push(into.slice(0, n));
  }
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

/** A target that echoes, and ends when its peer has. */
function echo(): { readonly port: number } & Disposable {
  const listener = Deno.listen(LOOPBACK);
  (async () => {
    for await (const conn of listener) {
      conn.readable.pipeTo(conn.writable).catch(() => {});
    }
  })();
  return {
    port: listener.addr.port,
    [Symbol.dispose]: () => listener.close(),
  };
}

const random = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
};

Deno.test("a tunnel keeps half-close: a program that has said all hears the whole answer", async () => {
  const target = Deno.listen(LOOPBACK);
  await using tunnel = await world({ targets: [tcp(target.addr.port)] });
  const closed = tunnel.client.once("connection-closed");
  using program = await tunnel.program();
  const asked = random(200_000);
  const answer = random(3_000_000);
  const serving = (async () => {
    using conn = await target.accept();
    const got = await readAll(conn); // To the end, and only then it answers.
    await writeAll(conn, answer);
    return got;
  })();
  await writeAll(program, asked);
  await program.closeWrite();
  assertEquals(await deadline(readAll(program), STALL_MS), answer);
  assertEquals(await serving, asked);
  const { sentBytes, receivedBytes } = await deadline(closed, STALL_MS);
  assertEquals([sentBytes, receivedBytes], [asked.length, answer.length]);
  target.close();
});

/** So many at once echo so many bytes each, while cuts come every so often. */
async function talkThroughCuts(
  count: number,
  length: number,
  everyMs: number,
): Promise<void> {
  using target = echo();
  await using tunnel = await world({ targets: [tcp(target.port)] });
  let busy = true;
  const cutting = (async () => {
    while (busy) {
      await delay(everyMs + Math.random() * 40);
      // Half of them hit what is being opened again; after the others all get
      // on, however slow the machine.
      const spare = Math.random() < 0.5;
      while (spare && busy && tunnel.client.stats().paused > 0) await delay(2);
      tunnel.proxy.cut(Math.random() < 0.5 ? "both" : "client");
    }
  })();
  const talks = Array.from({ length: count }, async () => {
    using program = await tunnel.program();
    const bytes = random(length);
    const writing = writeAll(program, bytes).then(() => program.closeWrite());
    const got = await readAll(program);
    await writing;
    assertEquals(got.length, bytes.length);
    assert(got.every((byte, i) => byte === bytes[i]), "bytes differ");
  });
  await deadline(Promise.all(talks), 4 * STALL_MS).finally(() => busy = false);
  await cutting;
  const { cuts, failed, total } = tunnel.client.stats();
  assertEquals([failed, total], [0, count]);
  assert(cuts > 0, "no connection was cut");
}

Deno.test("connections through a tunnel that is cut again and again are byte-identical", async () => {
  await talkThroughCuts(6, 4_000_000, 5);
});

Deno.test("a hundred connections that come at once through a tunnel that is cut are all served", async () => {
  await talkThroughCuts(100, 200_000, 400);
});

Deno.test("a target that does not read stops the program, and memory stays bounded", async () => {
  const target = Deno.listen(LOOPBACK);
  const buffers = { sendBufferBytes: 65_536, receiveWindowBytes: 65_536 };
  await using tunnel = await world(
    { targets: [tcp(target.addr.port)], accept: buffers },
    { connect: buffers },
  );
  using program = await tunnel.program();
  using reached = await target.accept();
  const chunk = random(256 * 1024);
  let written = 0;
  let blocked = false;
  // The kernel's own buffers of three hops take some megabytes.
  while (!blocked && written < 256 * 1024 * 1024) {
    const write = writeAll(program, chunk).then(() => true);
    let still = true;
    while (still) {
      const before = tunnel.server.stats().receivedBytes;
      still = !await Promise.race([write, delay(1_000).then(() => false)]);
      blocked = still && tunnel.server.stats().receivedBytes === before;
      if (blocked) break;
    }
    written += chunk.length;
  }
  assert(blocked, `${written} bytes went in, and nothing was read`);
  const held = tunnel.client.stats().sentBytes -
    tunnel.server.stats().receivedBytes;
  assert(held < 1_000_000, `${held} bytes are held between the ends`);
  // It goes on where it stopped.
  let got = 0;
  const into = new Uint8Array(65_536);
  while (got < written) got += (await deadline(reached.read(into), STALL_MS))!;
  assertEquals(got, written);
  target.close();
});

Deno.test("a client reaches what the server allows, by its name, and nothing else", async () => {
  using first = echo();
  const second = Deno.listen(LOOPBACK);
  const secret = Deno.listen(LOOPBACK);
  const targets = [tcp(first.port), tcp(second.addr.port)];
  {
    await using tunnel = await world({ targets }, { target: targets[1] });
    using _program = await tunnel.program();
    using _reached = await deadline(second.accept(), STALL_MS);
  }
  await using tunnel = await world({ targets }, {
    target: tcp(secret.addr.port),
  });
  const failed = tunnel.client.once("connection-failed");
  using program = await tunnel.program();
  assertEquals(await deadline(program.read(new Uint8Array(1)), STALL_MS), null);
  const { code, error } = await deadline(failed, STALL_MS);
  assertEquals(code, "resume/target-denied");
  assertStringIncludes(error, `127.0.0.1:${secret.addr.port}`);
  const reached = secret.accept().then(() => true, () => false);
  secret.close();
  assertEquals(await reached, false);
  second.close();
});

Deno.test("a target that is down is told of at both ends, in one sentence, and the next connection is served", async () => {
  const probe = Deno.listen(LOOPBACK);
  const { port } = probe.addr;
  probe.close();
  await using tunnel = await world({
    targets: [tcp(port)],
    targetDeadlineMs: 50,
  });
  const told = [tunnel.client, tunnel.server].map((end) =>
    end.once("connection-failed")
  );
  using program = await tunnel.program();
  assertEquals(await deadline(program.read(new Uint8Array(1)), STALL_MS), null);
  for (const { code, error } of await deadline(Promise.all(told), STALL_MS)) {
    assertEquals(code, "resume/target-down");
    assertStringIncludes(error, `127.0.0.1:${port}`);
    assertEquals(error.split("\n").length, 1);
  }
  const target = Deno.listen({ hostname: "127.0.0.1", port });
  using again = await tunnel.program();
  using reached = await deadline(target.accept(), STALL_MS);
  await again.write(encoder.encode("now"));
  const into = new Uint8Array(8);
  const n = await deadline(reached.read(into), STALL_MS);
  assertEquals(decoder.decode(into.subarray(0, n!)), "now");
  target.close();
});

Deno.test("a wrong key, and a server that is no tunnel, fail the connection and say so", async () => {
  using target = echo();
  const id = encoder.encode("alice");
  const key = random(32) as Uint8Array<ArrayBuffer>;
  await using tunnel = await world(
    { targets: [tcp(target.port)], accept: { presharedKey: () => key } },
    {
      connect: {
        presharedKey: { id, key: random(32) as Uint8Array<ArrayBuffer> },
      },
    },
  );
  const refused = tunnel.server.once("handshake-refused");
  const failed = tunnel.client.once("connection-failed");
  using program = await tunnel.program();
  assertEquals(await deadline(program.read(new Uint8Array(1)), STALL_MS), null);
  assertStringIncludes((await failed).error, "key");
  await deadline(refused, STALL_MS);

  const middle = Deno.listen(LOOPBACK);
  await using echoing = acceptResumable(middle);
  const entry = Deno.listen(LOOPBACK);
  await using client = connectTunnel(
    entry,
    () => Deno.connect({ hostname: "127.0.0.1", port: middle.addr.port }),
  );
  const strange = client.once("connection-failed");
  using other = await Deno.connect({
    hostname: "127.0.0.1",
    port: entry.addr.port,
  });
  const accepted = await echoing.accept();
  await accepted.write(encoder.encode("220 mail.example ESMTP"));
  assertEquals((await deadline(strange, STALL_MS)).code, "resume/protocol");
  assertEquals(await deadline(other.read(new Uint8Array(1)), STALL_MS), null);
});

Deno.test("a client that asks for nonsense, or for nothing, harms nobody else", async () => {
  using target = echo();
  await using tunnel = await world({ targets: [tcp(target.port)] });
  const failed = tunnel.server.once("connection-failed");
  const { connectResumable } = await import("./mod.ts");
  const dial = () =>
    Deno.connect({ hostname: "127.0.0.1", port: tunnel.proxy.port });
  const rude = await connectResumable(dial);
  await rude.write(encoder.encode("GET / HTTP/1.1\r\n\r\n"));
  assertEquals((await deadline(failed, STALL_MS)).code, "resume/protocol");
  const curious = await connectResumable(dial);
  curious.abort();
  using program = await tunnel.program();
  await program.write(encoder.encode("still here"));
  const into = new Uint8Array(16);
  assertEquals(await deadline(program.read(into), STALL_MS), 10);
  assertEquals(tunnel.server.stats().failed, 1);
  rude.abort();
});

Deno.test("a program that breaks off breaks off at the target too, and close ends all", async () => {
  const target = Deno.listen(LOOPBACK);
  const tunnel = await world({ targets: [tcp(target.addr.port)] });
  const program = await tunnel.program();
  using reached = await target.accept();
  program.close();
  // Its answers come back to nobody: sooner or later that is told.
  const chunk = new Uint8Array(65_536);
  const broke = (async () => {
    for (;;) await writeAll(reached, chunk);
  })().then(() => false, () => true);
  assert(await deadline(broke, STALL_MS));

  using left = await tunnel.program();
  using _other = await target.accept();
  await tunnel[Symbol.asyncDispose]();
  assertEquals(
    await left.read(new Uint8Array(1)).catch(() => null),
    null,
  );
  assertEquals(tunnel.client.stats().open, 0);
  assertEquals(tunnel.server.stats().open, 0);
  target.close();
});

testWith({
  name: "a tunnel from one Unix socket to another",
  needs: ["unix"],
  async fn() {
    const folder = await Deno.makeTempDir();
    const at = (name: string) => `${folder}/${name}`;
    const listen = (name: string) =>
      Deno.listen({ transport: "unix", path: at(name) });
    const target = listen("target");
    await using _server = serveTunnel(listen("middle"), {
      targets: [parseTunnelAddress(`unix:${at("target")}`)],
    });
    await using _client = connectTunnel(
      listen("entry"),
      () => Deno.connect({ transport: "unix", path: at("middle") }),
    );
    using program = await Deno.connect({
      transport: "unix",
      path: at("entry"),
    });
    using reached = await target.accept();
    await program.write(encoder.encode("hello"));
    assertEquals(await reached.read(new Uint8Array(8)), 5);
    target.close();
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test("addresses are read as they are written, and a wrong one is named", () => {
  const good = [
    ["127.0.0.1:22", tcp(22)],
    ["[::1]:0", { transport: "tcp", hostname: "::1", port: 0 }],
    ["a.example:65535", {
      transport: "tcp",
      hostname: "a.example",
      port: 65_535,
    }],
    ["unix:/run/a b.sock", { transport: "unix", path: "/run/a b.sock" }],
  ] as const;
  for (const [text, address] of good) {
    assertEquals(parseTunnelAddress(text), address);
  }
  for (
    const text of [
      "",
      "22",
      ":22",
      "::1:22",
      "a:b",
      "a:65536",
      "unix:",
      "a b:1",
    ]
  ) {
    try {
      parseTunnelAddress(text);
    } catch (error) {
      assert(error instanceof TypeError);
      assertStringIncludes(error.message, `"${text}"`);
      continue;
    }
    throw new Error(`"${text}" was taken for an address`);
  }
});
