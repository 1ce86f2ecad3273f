import { testWith } from "@holdfast/testkit";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { deadline } from "@std/async";
import { acceptResumable, connectResumable, ResumeError } from "./mod.ts";
import { type Argument, RedisConnection } from "./_redis_client.ts";
import { RedisStore } from "./_redis_store.ts";
import { redisStore } from "./redis.ts";
import type { SessionChange, SessionStore } from "./store.ts";
import { RedisServer } from "@holdfast/testkit/redis";
import { framesOf, storeSuite } from "./testdata/store_suite.ts";

const SID = "00112233445566778899aabbccddeeff";
const STALL_MS = 30_000;
const later = () => Date.now() + 60_000;
const bytes = (length: number, fill: number) =>
  new Uint8Array(length).fill(fill);

Deno.test("Redis: what is no address is turned away, and not told, since it may have a password", () => {
  for (const url of ["", "localhost:6379", "http://:secret@a", "redis://"]) {
    const error = assertThrows(() => redisStore(url), TypeError);
    assert(!error.message.includes("secret"), error.message);
  }
  assertThrows(() => redisStore("redis://a", { timeoutMs: 0 }), RangeError);
});

// The parser of the client keeps an interval of its own for a while after a
// large answer, which ends by itself.
const KEEPS = { sanitizeOps: false, sanitizeResources: false };

function test(name: string, run: (redis: RedisServer) => Promise<void>): void {
  testWith({
    name: `Redis: ${name}`,
    needs: ["redis-server", "unix"],
    ...KEEPS,
    async fn() {
      await using redis = await RedisServer.start();
      await run(redis);
    },
  });
}

let server: RedisServer | undefined;
for (
  const { name, fn } of storeSuite({
    name: "Redis",
    async open() {
      server = await RedisServer.start();
      return redisStore(server.url);
    },
    async reopen() {
      await server!.kill(); // What it did not write is gone.
      await server!.restart();
      return redisStore(server!.url);
    },
    close: () => server![Symbol.asyncDispose](),
    controlsTime: false,
  })
) testWith({ name, needs: ["redis-server", "unix"], ...KEEPS, fn });

async function fresh(store: SessionStore): Promise<void> {
  const [secret, keyId] = [bytes(64, 1), bytes(3, 9)];
  await store.create({ sid: SID, secret, keyId, expiresAt: later() });
}

function change(rest: Partial<SessionChange>): SessionChange {
  return { sid: SID, epoch: 1, expiresAt: later(), acked: 0, ...rest };
}

const written = (from: number, to: number, fill = 0) =>
  change({
    cut: {
      ...{ written: to, consumed: 0, finQueued: false },
      ...{ finRead: false, peerClosed: false },
    },
    frames: framesOf(from, bytes(to - from, fill)),
  });

const claim = (store: SessionStore, from = 1, to = 2) =>
  store.claim({
    ...{ sid: SID, from, to, expiresAt: later() },
    ...{ secret: bytes(64, 2), nextSecret: bytes(64, 3) },
  });

const cannot = async (call: Promise<unknown>, says: string) => {
  const error = await assertRejects(() => call, ResumeError);
  assertEquals(error.code, "resume/store");
  assertStringIncludes(error.message, says);
};

test("a call while it is away fails, and one after it came back succeeds", async (redis) => {
  await using store = redisStore(redis.url, { timeoutMs: 300 });
  await fresh(store);
  await redis.kill();
  await cannot(store.commit([written(0, 5)]), "Cannot use the session store");
  await cannot(claim(store), "Cannot use the session store");
  await redis.restart();
  assertEquals(await repeat(() => store.commit([written(0, 5)])), []);
  const { cut, output } = (await claim(store))!;
  assertEquals([cut.written, output.length], [5, 1]);
});

/** As a server does it: again until it succeeds. */
async function repeat<T>(call: () => Promise<T>): Promise<T> {
  const until = Date.now() + STALL_MS;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

test("a call while it is frozen fails in time, and its repetition does nothing twice", async (redis) => {
  await using store = redisStore(redis.url, { timeoutMs: 100 });
  await fresh(store);
  redis.freeze();
  await cannot(store.commit([written(0, 5)]), "did not answer within 100 ms");
  await cannot(store.find(SID), "did not answer within 100 ms");
  redis.thaw();
  // More was written meanwhile: the repetition has it all, from the same start.
  assertEquals(await repeat(() => store.commit([written(0, 9)])), []);
  const { cut, output } = (await claim(store))!;
  assertEquals(cut.written, 9);
  assertEquals(output.map(({ from, to }) => [from, to]), [[0, 9]]);
});

/** Keeps what is sent, to send it again. */
class Recorder extends RedisConnection {
  readonly calls: [string, ...Argument[]][] = [];
  override call(...call: [string, ...Argument[]]): Promise<unknown> {
    this.calls.push(call);
    return super.call(...call);
  }
}

test("a commit that is carried out after a later one, or after a claim, changes nothing", async (redis) => {
  const recorder = new Recorder(redis.url, 2_000);
  await using store = new RedisStore(recorder, "holdfast:");
  await fresh(store);
  await store.commit([written(0, 5, 1)]);
  const late = recorder.calls.at(-1)!;
  await store.commit([written(5, 9, 2)]);
  await recorder.call(...late);
  await store.commit([written(9, 12, 3)]);
  const taken = (await claim(store))!;
  assertEquals(taken.cut.written, 12);
  assertEquals(
    taken.output.map(({ from, to }) => [from, to]),
    [[0, 5], [5, 9], [9, 12]],
  );
  assertEquals(await recorder.call(...late), [1]); // Of an older epoch now.
  // The new owner counts from the beginning, as another process would.
  await using other = redisStore(redis.url);
  const next = { ...written(12, 13, 4), epoch: 2 };
  assertEquals(await other.commit([next]), []);
  assertEquals((await claim(other, 2, 3))?.cut.written, 13);
});

test("one that is full says so, keeps all, and is rid of what peers have", async (redis) => {
  await using store = redisStore(redis.url);
  await fresh(store);
  // What comes in takes memory as well, while it comes in: less than goes.
  const [piece, large] = [1_000_000, 8_000_000];
  for (let at = 0; at < large; at += piece) {
    assertEquals(await store.commit([written(at, at + piece)]), []);
  }
  const used = Number(
    /used_memory:(\d+)/.exec(await redis.command("INFO", "memory"))![1],
  );
  await redis.command("CONFIG", "SET", "maxmemory", String(used));
  const more = written(large, large + piece);
  await cannot(store.commit([more]), "no memory left");
  // The peer acknowledges what was sent: with that it has room again.
  await cannot(store.commit([{ ...more, acked: large }]), "no memory left");
  assertEquals(await store.commit([{ ...more, acked: large }]), []);
  const { cut, output } = (await claim(store))!;
  assertEquals(cut.written, large + piece);
  assertEquals(output[0]?.from, large);
});

test("sessions of another prefix are others, and keys go when their time is over", async (redis) => {
  await using store = redisStore(redis.url, { prefix: "a:" });
  await using other = redisStore(redis.url, { prefix: "b:" });
  await fresh(store);
  assertEquals(await other.find(SID), undefined);
  await store.commit([{ ...written(0, 5), expiresAt: Date.now() + 300 }]);
  await repeat(async () => {
    const size = await redis.command("DBSIZE");
    assertEquals(size, ":0\r\n");
  });
});

test("a client goes on at another server, and the first one is fenced at its next word", async (redis) => {
  await using world = new AsyncDisposableStack();
  const serve = () => {
    const store = world.use(redisStore(redis.url));
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    return { server: world.use(acceptResumable(listener, { store })), port };
  };
  const [first, second] = [serve(), serve()];
  let { port } = first;
  let transport: Deno.TcpConn | undefined;
  const client = await connectResumable(async () =>
    transport = await Deno.connect({ hostname: "127.0.0.1", port })
  );
  const here = await first.server.accept();
  await client.write(bytes(5, 1));
  const into = new Uint8Array(64);
  assertEquals(await here.read(into), 5);
  await here.write(bytes(7, 2));
  assertEquals(await client.read(into), 7);

  ({ port } = second);
  transport!.close();
  const there = await deadline(second.server.accept(), STALL_MS);
  assert(there.restored);
  assertEquals([there.bytesRead, there.bytesWritten], [5, 7]);
  // It still believes that it has the session, as one that was frozen would.
  const lost = here.once("lost");
  await here.write(bytes(9, 3));
  assertEquals((await deadline(lost, STALL_MS)).code, "resume/taken-over");
  await there.write(bytes(4, 4));
  const n = await deadline(client.read(into), STALL_MS);
  assertEquals(into.slice(0, n!), bytes(4, 4));
  client.close();
  there.close();
  await client.closed;
});

test("a server that goes away names another one, and its clients go on there, past every balancer", async (redis) => {
  await using world = new AsyncDisposableStack();
  const serve = () => {
    const store = world.use(redisStore(redis.url));
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const server = world.use(acceptResumable(listener, { store }));
    world.defer(() => closeIfOpen(listener));
    return { server, port: listener.addr.port };
  };
  const [first, second] = [serve(), serve()];
  const client = await connectResumable(({ movedTo }) =>
    Deno.connect({ hostname: "127.0.0.1", port: Number(movedTo ?? first.port) })
  );
  const here = await first.server.accept();
  await here.write(bytes(7, 2));
  const into = new Uint8Array(64);
  assertEquals(await client.read(into), 7);
  const told = client.once("peer-moved");
  first.server.notify({ kind: "moved", to: String(second.port) });
  await deadline(told, STALL_MS);
  await first.server.suspend();
  const there = await deadline(second.server.accept(), STALL_MS);
  assertEquals([there.restored, there.bytesWritten], [true, 7]);
  await there.write(bytes(3, 3));
  assertEquals(await deadline(client.read(into), STALL_MS), 3);
  client.close();
  there.close();
  await client.closed;
});

function closeIfOpen(listener: Deno.Listener): void {
  try {
    listener.close();
  } catch {
    // Its server did.
  }
}

test("the clock of a server need not be that of Redis", async (redis) => {
  const now = Date.now;
  await using store = redisStore(redis.url);
  const peek = new RedisConnection(redis.url, 5_000);
  try {
    for (const hours of [-1, 1]) {
      Date.now = () => now() + hours * 3_600_000;
      const sid = SID.replace("00", hours < 0 ? "aa" : "bb");
      const [secret, keyId] = [bytes(64, 1), bytes(3, 9)];
      await store.create({ sid, secret, keyId, expiresAt: later() });
      assertEquals((await store.find(sid))?.epoch, 1);
      assertEquals(await store.commit([change({ sid })]), []);
      const claim = { sid, from: 1, to: 2, secret, nextSecret: secret };
      const claimed = await store.claim({ ...claim, expiresAt: later() });
      assertEquals(claimed?.epoch, 2);
      // Neither kept for an hour too long.
      const left = await peek.call("PTTL", `holdfast:{${sid}}`) as number;
      assert(left > 0 && left <= 60_000, `${left} ms left`);
    }
  } finally {
    Date.now = now;
    await peek.close();
  }
});
