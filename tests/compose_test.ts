import { assert, assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { testWith } from "@holdfast/testkit";
import { openPeer, type Peer, PeerError } from "@holdfast/holdfast";
import { watchNetwork } from "@holdfast/netwatch";
import type { ResumableConn } from "@holdfast/resume";
import { createIdentity, SignalError } from "@holdfast/signal";
import { type BrokerProcess, startBroker } from "../tools/broker/spawn.ts";

/** Brokers in processes of their own. */
async function startBrokers(count: number): Promise<
  AsyncDisposable & { list: BrokerProcess[]; urls: string[] }
> {
  const list = await Promise.all(Array.from({ length: count }, startBroker));
  return {
    list,
    urls: list.map(({ url }) => url),
    async [Symbol.asyncDispose]() {
      await Promise.all(list.map((broker) => broker[Symbol.asyncDispose]()));
    },
  };
}

const encoder = new TextEncoder();

async function readText(conn: ResumableConn, length: number): Promise<string> {
  const into = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const n = await conn.read(into.subarray(at));
    if (n === null) throw new Error("The stream ended early");
    at += n;
  }
  return new TextDecoder().decode(into);
}

async function pair(
  urls: string[],
  options: { client?: object; server?: object } = {},
) {
  const server = await openPeer({
    identity: await createIdentity(),
    brokers: urls,
    listen: { port: 0 },
    ...options.server,
  });
  const client = await openPeer({
    identity: await createIdentity(),
    brokers: urls,
    ...options.client,
  });
  return { server, client };
}

Deno.test("peers who know each other's id meet, with one broker dead, and are proven to each other", async () => {
  await using brokers = await startBrokers(3);
  await brokers.list[0]!.kill();
  const { server, client } = await pair(brokers.urls);
  const [conn, accepted] = await Promise.all([
    client.connect(server.id),
    server.accept(),
  ]);
  assertEquals(accepted.peer, client.id);
  await conn.write(encoder.encode("ping"));
  assertEquals(await readText(accepted.conn, 4), "ping");
  // With no broker left the stream goes on.
  for (const broker of brokers.list) await broker.kill();
  await accepted.conn.write(encoder.encode("pong"));
  assertEquals(await readText(conn, 4), "pong");
  assertEquals(client.state.streams.map(({ peer }) => peer), [server.id]);
  await client.close();
  await server.close();
});

Deno.test("a peer is told why it cannot connect", async () => {
  await using brokers = await startBrokers(1);
  const { server, client } = await pair(brokers.urls, {
    server: { allow: (id: string) => id === "somebody else" },
  });
  const refused = await assertRejects(
    () => client.connect(server.id),
    PeerError,
  );
  assertEquals(refused.code, "peer/refused");
  const deaf = await assertRejects(() => server.connect(client.id), PeerError);
  assertEquals(deaf.code, "peer/not-listening");
  const nobody = await createIdentity();
  const timeout = AbortSignal.timeout(300);
  await assertRejects(
    () => client.connect(nobody.id, { signal: timeout }),
    DOMException,
  );
  await assertRejects(() => client.connect("no id"), TypeError);
  await client.close();
  await server.close();
  const closed = await assertRejects(
    () => client.connect(server.id),
    PeerError,
  );
  assertEquals(closed.code, "peer/closed");
});

Deno.test("a peer without any broker says so in one sentence", async () => {
  const error = await assertRejects(
    async () =>
      openPeer({
        identity: await createIdentity(),
        brokers: ["mqtt://127.0.0.1:1"],
        signal: AbortSignal.timeout(400),
      }),
  );
  assert(error instanceof DOMException || error instanceof SignalError);
});

Deno.test("the client moves to another address, and the server's process and port change, in one stream", async () => {
  await using brokers = await startBrokers(2);
  const identity = await createIdentity();
  const open = (restore?: Uint8Array): Promise<Peer> =>
    openPeer({ identity, brokers: brokers.urls, listen: { port: 0 }, restore });
  let server = await open();
  const client = await openPeer({
    identity: await createIdentity(),
    brokers: brokers.urls,
    localAddress: "127.0.0.2",
    stream: { redialMaxMs: 200 },
  });
  const conn = await client.connect(server.id);
  let { conn: accepted } = await server.accept();
  const from = () => (accepted.remoteAddr as Deno.NetAddr).hostname;
  assertEquals(from(), "127.0.0.2");

  const resumed = accepted.once("resumed");
  client.moveTo("127.0.0.3");
  await resumed;
  assertEquals(from(), "127.0.0.3");
  await conn.write(encoder.encode("moved"));
  assertEquals(await readText(accepted, 5), "moved");

  // Another port, and nobody tells the client: it finds out by asking.
  const located = client.once("peer-located");
  const paused = conn.once("detached");
  await accepted.write(encoder.encode("unread"));
  const oldPort = (server.addr as Deno.NetAddr).port;
  const state = await server.suspend();
  server = await open(state);
  assert((server.addr as Deno.NetAddr).port !== oldPort);
  const restored = await server.accept();
  assertEquals(restored.peer, client.id);
  assert(restored.conn.restored);
  accepted = restored.conn;
  // It was asked, or its next process said so: whichever was first.
  assert(["moved", "redial"].includes((await located).reason));
  await paused;
  assertEquals(await readText(conn, 6), "unread");
  await conn.write(encoder.encode("still"));
  assertEquals(await readText(accepted, 5), "still");
  await client.close();
  await server.close();
});

Deno.test("all events of all parts come through one stream, each saying why", async () => {
  await using brokers = await startBrokers(1);
  await using network = await watchNetwork({ monitor: false, pollMs: 100 });
  const { server, client } = await pair(brokers.urls, { client: { network } });
  await using stream = client.events({ limit: 10_000 });
  const conn = await client.connect(server.id);
  await server.accept();
  client.moveTo(undefined);
  await conn.once("resumed");
  await network.refresh();
  await client.close();
  await server.close();
  const types = new Set<string>();
  for await (const event of stream) {
    JSON.stringify(event);
    types.add(
      "event" in event ? `${event.type}:${event.event.type}` : event.type,
    );
  }
  for (
    const type of [
      "signalling:sent",
      "signalling:acknowledged",
      "peer-located",
      "peer-connected",
      "stream:detached",
      "stream:resumed",
    ]
  ) assert(types.has(type), `${type} is missing in ${[...types]}`);
  await delay(0);
});

Deno.test("one name is one stream, whoever asks and how often; another name is another", async () => {
  await using brokers = await startBrokers(1);
  const { server, client } = await pair(brokers.urls);
  const [a, b, other] = await Promise.all([
    client.connect(server.id),
    client.connect(server.id),
    client.connect(server.id, { name: "other" }),
  ]);
  assert(a === b && a !== other);
  assert(await client.connect(server.id) === a, "while it is open");
  const names = [await server.accept(), await server.accept()]
    .map(({ name }) => name).sort();
  assertEquals(names, ["", "other"]);
  assertEquals(server.stats().accepted, 2);
  // Who gives up takes nobody else along.
  const gone = new AbortController();
  const two = [
    client.connect(server.id, { name: "third", signal: gone.signal }),
    client.connect(server.id, { name: "third" }),
  ];
  gone.abort(new Error("enough"));
  await assertRejects(() => two[0]!, Error, "enough");
  await two[1];
  a.abort();
  await a.closed;
  const next = await client.connect(server.id);
  assert(next !== a, "a new one when it is over");
  await assertRejects(
    () => client.connect(server.id, { name: "x".repeat(65) }),
    TypeError,
    "at most 64 bytes",
  );
  await client.close();
  await server.close();
});

Deno.test("a peer that cannot be reached makes the connection itself, and is proven all the same", async () => {
  await using brokers = await startBrokers(1);
  const { server, client } = await pair(brokers.urls, {
    // Nobody answers there.
    server: { advertise: [{ hostname: "127.0.0.1", port: 9 }] },
    client: { listen: { port: 0 }, stream: { redialMaxMs: 200 } },
  });
  const called = server.once("peer-called");
  const [conn, accepted] = await Promise.all([
    client.connect(server.id),
    server.accept(),
  ]);
  assertEquals((await called).reason, "meet");
  assertEquals(accepted.peer, client.id);
  await conn.write(encoder.encode("ping"));
  assertEquals(await readText(accepted.conn, 4), "ping");
  // The connection breaks; again only that way round leads anywhere.
  const resumed = conn.once("resumed");
  const again = server.once("peer-called");
  client.moveTo("127.0.0.3");
  await again;
  await resumed;
  await accepted.conn.write(encoder.encode("pong"));
  assertEquals(await readText(conn, 4), "pong");
  assert(client.stats().calls >= 2);
  // A stranger who comes to the listener with the wrong first bytes, or none.
  const { hostname, port } = client.addr as Deno.NetAddr;
  for (const text of ["HFCALL1\0" + "x".repeat(56), "GET / HTTP/1.1\r\n\r\n"]) {
    const stranger = await Deno.connect({ hostname, port });
    await stranger.write(encoder.encode(text));
    assertEquals(
      await stranger.read(new Uint8Array(8)).catch(() => null),
      null,
    );
    stranger.close();
  }
  await client.close();
  await server.close();
});

Deno.test("a peer that does not listen is reached if it accepts and the other one listens", async () => {
  await using brokers = await startBrokers(1);
  const { server, client } = await pair(brokers.urls, {
    server: { listen: undefined, accepts: true },
    client: { listen: { port: 0 } },
  });
  const [conn, accepted] = await Promise.all([
    client.connect(server.id),
    server.accept(),
  ]);
  await accepted.conn.write(encoder.encode("hello"));
  assertEquals(await readText(conn, 5), "hello");
  const deaf = await openPeer({
    ...{ identity: await createIdentity(), brokers: brokers.urls },
  });
  const error = await assertRejects(() => deaf.connect(server.id), PeerError);
  assertEquals(error.code, "peer/not-listening");
  await Promise.all([client, server, deaf].map((peer) => peer.close()));
});

Deno.test("a peer without brokers says what it cannot do, and goes on with what it has", async () => {
  await using peer = await openPeer({
    ...{ identity: await createIdentity(), brokers: [], network: false },
    listen: { port: 0 },
  });
  assertEquals(peer.state.limited.map(({ part }) => part), ["signalling"]);
  const error = await assertRejects(() => peer.connect("x"), PeerError);
  assertEquals(error.code, "peer/no-brokers");
  assertEquals(peer.stats().signalling, undefined);
});

Deno.test("the port in the firewall is asked for, and given back; a refusal stops nothing", async () => {
  await using brokers = await startBrokers(1);
  const log: string[] = [];
  const open = async (fails: boolean) =>
    await openPeer({
      ...{ identity: await createIdentity(), brokers: brokers.urls },
      ...{ listen: { port: 0 }, network: false },
      openPort: ({ port, protocol }) => {
        log.push(`${protocol} ${port}`);
        if (fails) return Promise.reject(new Error("no right to do so"));
        return Promise.resolve({
          [Symbol.asyncDispose]: () => Promise.resolve(void log.push("back")),
        });
      },
    });
  const good = await open(false);
  const { port } = good.addr as Deno.NetAddr;
  assertEquals(good.state.limited, []);
  await good.close();
  assertEquals(log.splice(0), [`tcp ${port}`, "back"]);
  const bad = await open(true);
  assertEquals(bad.state.limited, [{
    part: "firewall",
    reason: "Cannot open a port in the firewall: no right to do so",
  }]);
  await bad.close();
});

const FOLLOWERS = new URL("netns/_peers_watch.ts", import.meta.url).pathname;

testWith({
  name:
    "streams and signalling follow the network watch as it is, and go round a broker whose packets are swallowed",
  needs: ["netns", "iptables"],
  async fn() {
    const { success, stderr } = await new Deno.Command("unshare", {
      args: [
        ...["-Urn", Deno.execPath(), "run", "--no-prompt", "--no-check"],
        ...["--ignore-env", "--allow-net", "--allow-run", "--allow-sys"],
        ...["--allow-read", FOLLOWERS],
      ],
      stdin: "null",
    }).output();
    assert(success, new TextDecoder().decode(stderr));
  },
});
