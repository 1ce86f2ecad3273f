import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { delay } from "@std/async/delay";
import { runs } from "@holdfast/testkit";
import { CutProxy, type CutProxyOptions } from "@holdfast/testkit/proxy";
import {
  type AcceptOptions,
  acceptResumable,
  type ConnectOptions,
  connectResumable,
  type ResumableConn,
  ResumeError,
  type Transport,
} from "./mod.ts";
import { withoutReplay } from "./testing.ts";
import { readPattern, writePattern } from "./testdata/pair.ts";
import {
  type DialContext,
  dialWebSocket,
  type TransportSource,
  webSocketTransport,
  type WebSocketTransportOptions,
  webSocketTransports,
} from "./websocket.ts";

const MIB = 1024 * 1024;
const MESSAGE_MAX = 256 * 1024;
const PROTOCOL = "holdfast-resume.1";

/** Numbers that look random and can be had again. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function context(signal = new AbortController().signal): DialContext {
  return { attempt: 0, movedTo: undefined, signal };
}

/** A source that keeps what it gave, so that a test can close it. */
class Recorded implements TransportSource {
  readonly given: Transport[] = [];
  readonly #source: TransportSource;

  constructor(source: TransportSource) {
    this.#source = source;
  }

  async accept(): Promise<Transport> {
    const transport = await this.#source.accept();
    this.given.push(transport);
    return transport;
  }

  close(): void {
    this.#source.close();
  }
}

interface Ends extends AsyncDisposable {
  readonly proxy: CutProxy;
  readonly client: ResumableConn;
  readonly accepted: ResumableConn;
  /** Every transport of either end, the newest last. */
  readonly dialed: readonly Transport[];
  readonly taken: readonly Transport[];
}

/** A resumable stream over WebSockets, through a proxy that can break them. */
async function openEnds(
  options: {
    readonly accept?: AcceptOptions;
    readonly connect?: ConnectOptions;
    readonly proxy?: CutProxyOptions;
  } = {},
): Promise<Ends> {
  const transports = webSocketTransports();
  const stop = new AbortController();
  const http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, signal: stop.signal },
    transports.handle,
  );
  const proxy = await CutProxy.start(options.proxy);
  proxy.forward("127.0.0.1", http.addr.port);
  const source = new Recorded(transports);
  const server = acceptResumable(source, options.accept);
  const dial = dialWebSocket(`ws://127.0.0.1:${proxy.port}/stream`, {
    openTimeoutMs: 500,
  });
  const dialed: Transport[] = [];
  const client = await connectResumable(async (context) => {
    const transport = await dial(context);
    dialed.push(transport);
    return transport;
  }, { redialMaxMs: 50, ...options.connect });
  const accepted = await server.accept();
  return {
    proxy,
    client,
    accepted,
    dialed,
    taken: source.given,
    async [Symbol.asyncDispose]() {
      client.abort();
      await server.close();
      await proxy[Symbol.asyncDispose]();
      stop.abort();
      await http.finished;
    },
  };
}

/** Both directions at once, to the end. */
async function exchange({ client, accepted }: Ends, bytes: number) {
  await Promise.all([
    writePattern(client, 1, 0, bytes).then(() => client.closeWrite()),
    writePattern(accepted, 2, 0, bytes).then(() => accepted.closeWrite()),
    readPattern(client, 2, 0, bytes),
    readPattern(accepted, 1, 0, bytes),
  ]);
  assertEquals(await client.read(new Uint8Array(1)), null);
  assertEquals(await accepted.read(new Uint8Array(1)), null);
}

// A connection that is reset between the server's answer and its upgrade leaves
// an operation of Deno's own that never ends (2.9.6), so they are not counted.
const uncounted = { sanitizeOps: false };

Deno.test(
  "WebSocket: 8 MiB each way survive closing and resets at random moments, on either side",
  uncounted,
  async () => {
    const seed = Number(
      Deno.env.get("HOLDFAST_SEED") ?? Math.floor(Math.random() * 2 ** 31),
    );
    const next = random(seed);
    // What is cut on one side only in the middle of a handshake waits this long.
    const quick = { heartbeatMs: 50, handshakeTimeoutMs: 500 };
    await using ends = await openEnds({ accept: quick, connect: quick });
    const { client, proxy, dialed, taken } = ends;
    const cuts = [
      () => dialed.at(-1)!.close(),
      () => taken.at(-1)!.close(),
      () => void proxy.cut(),
      () => void proxy.cut("client"),
      () => void proxy.cut("server"),
    ];
    let running = true;
    let made = 0;
    const total = runs(8, 256) * MIB;
    const cutting = (async () => {
      const max = runs(20, 2_000);
      while (running && made < max) {
        const at = proxy.bytes + next() * 400_000;
        while (running && proxy.bytes < at) await delay(1);
        if (running) cuts[made++ % cuts.length]!();
      }
    })();
    try {
      await exchange(ends, total).finally(() => running = false);
      await cutting;
    } catch (cause) {
      throw new Error(`Failed with HOLDFAST_SEED=${seed}`, { cause });
    }
    assert(made >= 10, `only ${made} cuts with HOLDFAST_SEED=${seed}`);
    assert(client.stats().resumed >= 5);
    assertEquals(client.stats().acked, total);
  },
);

Deno.test("WebSocket: without replay the same closing is noticed as a loss", async () => {
  const quick = { heartbeatMs: 50 };
  await using ends = await openEnds({
    accept: withoutReplay(quick),
    connect: withoutReplay(quick),
    proxy: { delayMs: 5 }, // so that something is on its way at a cut
  });
  const done = exchange(ends, 8 * MIB);
  const timeout = new AbortController();
  const outcome = Promise.race([
    done.then(() => "complete", () => "failed"),
    delay(2_000, timeout).then(() => "stalled", () => "stalled"),
  ]);
  // At a time at which both are sending, which a clock would not tell.
  const running = ends.client.stats().acked;
  while (ends.client.stats().acked === running) await delay(1);
  ends.proxy.cut();
  assert(await outcome !== "complete");
  timeout.abort();
  ends.client.abort();
  await done.catch(() => {});
});

/** Two ends of one WebSocket: ours as a transport, the peer's as it is. */
interface Raw extends AsyncDisposable {
  readonly transport: Transport;
  readonly socket: WebSocket;
  readonly peer: WebSocket;
  /** How the peer saw the end. */
  readonly peerClosed: Promise<CloseEvent>;
}

/** `sends` is called when the peer is open, before ours can answer. */
async function openRaw(
  options: WebSocketTransportOptions = {},
  sends: (peer: WebSocket) => void = () => {},
): Promise<Raw> {
  const { promise, resolve } = Promise.withResolvers<WebSocket>();
  const closed = Promise.withResolvers<CloseEvent>();
  const http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.addEventListener("close", closed.resolve);
      socket.addEventListener("open", () => {
        sends(socket);
        resolve(socket);
      });
      return response;
    },
  );
  const socket = new WebSocket(`ws://127.0.0.1:${http.addr.port}`);
  const ours = new Promise((done) => socket.addEventListener("close", done));
  const transport = await webSocketTransport(socket, options);
  const peer = await promise;
  return {
    transport,
    socket,
    peer,
    peerClosed: closed.promise,
    async [Symbol.asyncDispose]() {
      transport.close();
      peer.close();
      await closed.promise;
      await ours;
      await http.shutdown();
    },
  };
}

async function readAll(transport: Transport, length: number) {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    at += (await transport.read(bytes.subarray(at)))!;
  }
  return bytes;
}

Deno.test("WebSocket: messages are bytes in a row, empty ones are nothing, the longest one passes", async () => {
  const longest = new Uint8Array(MESSAGE_MAX).fill(7);
  await using raw = await openRaw({}, (peer) => {
    peer.send(Uint8Array.of(1, 2));
    peer.send(new Uint8Array(0));
    peer.send(Uint8Array.of(3));
    peer.send(longest);
  });
  const bytes = await readAll(raw.transport, 3 + MESSAGE_MAX);
  assertEquals(bytes.subarray(0, 4), Uint8Array.of(1, 2, 3, 7));
  assertEquals(bytes.at(-1), 7);
  // And the other way: a long write is taken message by message.
  const sizes: number[] = [];
  raw.peer.addEventListener("message", (event) => {
    sizes.push((event.data as ArrayBuffer).byteLength);
  });
  const long = new Uint8Array(MESSAGE_MAX + 5);
  assertEquals(await raw.transport.write(long), MESSAGE_MAX);
  assertEquals(await raw.transport.write(long.subarray(MESSAGE_MAX)), 5);
  assertEquals(await raw.transport.write(new Uint8Array(0)), 0);
  while (sizes.length < 2) await delay(1);
  assertEquals(sizes, [MESSAGE_MAX, 5]);
});

/** What every later use says once the peer broke the rules. */
async function assertRefused(raw: Raw, says: string) {
  const read = () => raw.transport.read(new Uint8Array(9));
  const first = await assertRejects(read, ResumeError, says);
  assertEquals(first.code, "resume/protocol");
  assertEquals(await assertRejects(read, ResumeError), first);
  const write = () => raw.transport.write(new Uint8Array(9));
  assertEquals(await assertRejects(write, ResumeError), first);
  assertEquals((await raw.peerClosed).code, 4002);
}

Deno.test("WebSocket: a text message ends the transport with a typed error", async () => {
  await using raw = await openRaw({}, (peer) => {
    peer.send(Uint8Array.of(1));
    peer.send("hello");
  });
  while (raw.socket.readyState === WebSocket.OPEN) await delay(1);
  await assertRefused(raw, "text");
});

Deno.test("WebSocket: a message that is too long ends the transport, also while a read waits", async () => {
  await using raw = await openRaw();
  const waiting = raw.transport.read(new Uint8Array(9));
  raw.peer.send(new Uint8Array(MESSAGE_MAX + 1));
  const error = await assertRejects(() => waiting, ResumeError, "262145 bytes");
  assertEquals(error.code, "resume/protocol");
  await assertRefused(raw, "262145 bytes");
});

Deno.test("WebSocket: a peer that sends more than the bound meets a refusal, not memory", async () => {
  await using raw = await openRaw({ receiveBufferBytes: 600_000 }, (peer) => {
    for (let i = 0; i < 10; i++) peer.send(new Uint8Array(100_000));
  });
  while (raw.socket.readyState === WebSocket.OPEN) await delay(1);
  await assertRefused(raw, "more arrived than was read");
});

Deno.test("WebSocket: a session goes on when somebody's text ended its transport", async () => {
  const transports = webSocketTransports();
  const http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    transports.handle,
  );
  const server = acceptResumable(transports);
  const url = `ws://127.0.0.1:${http.addr.port}/`;
  let socket: WebSocket | undefined;
  const client = await connectResumable(({ signal }) => {
    socket = new WebSocket(url, PROTOCOL);
    return webSocketTransport(socket, { signal });
  });
  const accepted = await server.accept();
  const refused = accepted.once("detached");
  socket!.send("who put this here?");
  assertEquals((await refused).reason, "transport-failed");
  await client.once("resumed");
  await client.write(new TextEncoder().encode("on"));
  assertEquals(await accepted.read(new Uint8Array(9)), 2);
  client.abort();
  await server.close();
  await http.shutdown();
});

/** A peer that answers the opening and reads only when told to. */
async function deafPeer() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const socket = new WebSocket(`ws://127.0.0.1:${listener.addr.port}`);
  const conn = await listener.accept();
  listener.close();
  const request = new Uint8Array(4096);
  const n = await conn.read(request);
  const text = new TextDecoder().decode(request.subarray(0, n!));
  const key = /^sec-websocket-key: *(\S+)/im.exec(text)![1]!;
  const digest = await crypto.subtle.digest(
    "SHA-1",
    new TextEncoder().encode(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`),
  );
  const accept = new Uint8Array(digest).toBase64();
  await conn.write(new TextEncoder().encode(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
      `Connection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  ));
  return { conn, socket };
}

Deno.test("WebSocket: write waits for a peer that does not read, and memory stays bounded", async () => {
  const { conn, socket } = await deafPeer();
  const closed = new Promise((done) => socket.addEventListener("close", done));
  const sendBufferBytes = 500_000;
  const transport = await webSocketTransport(socket, { sendBufferBytes });
  const message = new Uint8Array(100_000);
  let taken = 0;
  let progress = performance.now();
  let stopped = false;
  const writing = (async () => {
    for (;;) {
      taken += await transport.write(message);
      progress = performance.now();
      assert(socket.bufferedAmount <= sendBufferBytes);
    }
  })().catch((error) => error).finally(() => stopped = true);
  // The kernel takes some megabytes; then nothing moves any more.
  while (performance.now() - progress < 200) await delay(20);
  if (stopped) throw await writing;
  assert(taken < 64 * MIB, `${taken} bytes were taken`);
  assert(socket.bufferedAmount > sendBufferBytes);
  assert(socket.bufferedAmount <= sendBufferBytes + message.length + 64);
  // A second writer waits behind the first and sends nothing meanwhile.
  const second = transport.write(message).catch((error) => error);
  await delay(20);
  assert(socket.bufferedAmount <= sendBufferBytes + message.length + 64);

  // It reads again: the writer goes on.
  const before = taken;
  const into = new Uint8Array(MIB);
  while (taken === before) await conn.read(into);
  await second;

  // Deaf again, and closed: what waits is interrupted, not left behind.
  progress = performance.now();
  while (performance.now() - progress < 200) await delay(20);
  assert(!stopped);
  transport.close();
  assert(await writing instanceof Deno.errors.Interrupted);
  conn.close();
  await closed;
});

Deno.test("WebSocket: close() interrupts what waits, and nothing works after it", async () => {
  await using raw = await openRaw();
  const { transport } = raw;
  const read = transport.read(new Uint8Array(1));
  const other = transport.read(new Uint8Array(1));
  transport.close();
  await assertRejects(() => read, Deno.errors.Interrupted);
  await assertRejects(() => other, Deno.errors.Interrupted);
  const { BadResource } = Deno.errors;
  await assertRejects(() => transport.read(new Uint8Array(1)), BadResource);
  await assertRejects(() => transport.write(new Uint8Array(1)), BadResource);
  transport.close(); // again, and nothing happens
  assert((await raw.peerClosed).wasClean);
});

Deno.test("WebSocket: when the peer closes, what it sent is read, then the end", async () => {
  await using raw = await openRaw({}, (peer) => {
    peer.send(Uint8Array.of(1, 2, 3));
    peer.close(1000);
  });
  while (raw.socket.readyState !== WebSocket.CLOSED) await delay(1);
  const into = new Uint8Array(2);
  assertEquals(await raw.transport.read(into), 2);
  assertEquals(await raw.transport.read(into), 1);
  assertEquals(await raw.transport.read(into), null);
  assertEquals(await raw.transport.read(into), null);
  const write = () => raw.transport.write(into);
  await assertRejects(write, Deno.errors.BrokenPipe);
});

Deno.test("WebSocket: an end that is no end is an error: an odd code, a reset", async () => {
  await using raw = await openRaw({}, (peer) => {
    peer.send(Uint8Array.of(1));
    peer.close(4321, "enough of you");
  });
  while (raw.socket.readyState !== WebSocket.CLOSED) await delay(1);
  const read = () => raw.transport.read(new Uint8Array(9));
  assertEquals(await read(), 1);
  const { ConnectionReset } = Deno.errors;
  await assertRejects(read, ConnectionReset, "4321 (enough of you)");

  await using ends = await openEnds();
  const detached = ends.accepted.once("detached");
  ends.proxy.cut();
  assertEquals((await detached).reason, "transport-failed");
  await ends.client.once("resumed");
});

Deno.test("WebSocket: the handler refuses what is no stream, and says why", async () => {
  const transports = webSocketTransports({ socketsMax: 1 });
  const http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    transports.handle,
  );
  const at = `127.0.0.1:${http.addr.port}/`;
  const signal = new AbortController().signal;
  const refused = async (url: string, protocol?: string): Promise<string> => {
    const dial = () =>
      protocol === undefined
        ? webSocketTransport(new WebSocket(url), { signal })
        : dialWebSocket(url)(context(signal));
    return (await assertRejects(dial, Error, "Cannot open")).message;
  };

  const plain = await fetch(`http://${at}`);
  assertEquals(plain.status, 426);
  assertEquals(plain.headers.get("upgrade"), "websocket");
  await plain.body?.cancel();
  const headers = new Headers({ upgrade: "websocket", connection: "upgrade" });
  const asked = (protocols: string) => {
    headers.set("sec-websocket-protocol", protocols);
    return transports.handle(new Request(`http://${at}`, { headers })).status;
  };
  assertEquals(asked("chat, soap"), 400);
  // It says all the right words, and is no request that can be upgraded.
  assertEquals(asked(`chat, ${PROTOCOL}`), 400);
  await refused(`ws://${at}`);

  const accepting = transports.accept();
  const client = await dialWebSocket(`ws://${at}`)(context(signal));
  const transport = await accepting;
  const remote = transport.remoteAddr as Deno.NetAddr;
  assertEquals(remote.hostname, "127.0.0.1");
  assert(remote.port > 0);
  assertEquals(asked(PROTOCOL), 503); // one socket, and no more
  await refused(`ws://${at}?token=secret`, PROTOCOL)
    .then((message) => assert(!message.includes("secret"), message));

  // Once that one is closed there is room again.
  client.close();
  assertEquals(await transport.read(new Uint8Array(1)), null);
  while (asked(PROTOCOL) === 503) await delay(1);
  // Nobody accepts this one: it ends with the source.
  const queued = await dialWebSocket(`ws://${at}`)(context(signal));
  while (asked(PROTOCOL) !== 503) await delay(1);
  transports.close();
  assertEquals(await queued.read(new Uint8Array(1)), null);
  assertEquals(asked(PROTOCOL), 503);
  await assertRejects(() => transports.accept(), Deno.errors.BadResource);
  await http.shutdown();
});

Deno.test("WebSocket: an accept that waits is interrupted by close()", async () => {
  const transports = webSocketTransports();
  const accepting = transports.accept();
  transports.close();
  await assertRejects(() => accepting, Deno.errors.Interrupted);
});

Deno.test("WebSocket: dialling has a deadline, ends with its signal, and insists on the subprotocol", async () => {
  assertThrows(() => dialWebSocket("ftp://127.0.0.1/"), TypeError, "ftp:");
  assertThrows(() => dialWebSocket("nonsense"), TypeError);
  assertThrows(
    () => dialWebSocket("ws://127.0.0.1/", { openTimeoutMs: 0 }),
    RangeError,
  );

  // Accepts connections, and never says a word.
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const silent = `ws://127.0.0.1:${listener.addr.port}/`;
  const control = new AbortController();
  const { signal } = control;
  const late = dialWebSocket(silent, { openTimeoutMs: 50 });
  const error = await assertRejects(
    () => late(context(signal)),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
  const dialling = dialWebSocket(silent)(context(signal));
  const reason = new Error("never mind");
  control.abort(reason);
  assertEquals(await assertRejects(() => dialling), reason);
  assertEquals(
    await assertRejects(() => dialWebSocket(silent)(context(signal))),
    reason,
  );
  listener.close();

  const closed = Promise.withResolvers<unknown>();
  const http = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.addEventListener("close", closed.resolve);
      return response;
    },
  );
  const other = dialWebSocket(`http://127.0.0.1:${http.addr.port}/`);
  const refusal = await assertRejects(
    () => other(context()),
    ResumeError,
    PROTOCOL,
  );
  assertEquals(refusal.code, "resume/handshake");
  await closed.promise;
  await http.shutdown();
});
