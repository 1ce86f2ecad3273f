import { assert, assertEquals, assertRejects } from "@std/assert";
import net from "node:net";
import {
  circuitBreaker,
  latched,
  pausedWhile,
  RecoveryError,
  retry,
  retryBudget,
  timedReader,
  writeAll,
} from "./mod.ts";
import { Emitter } from "@holdfast/events/emitter";

const cut = () => Object.assign(new Error("cut"), { code: "ECONNRESET" });
const refused = () => Object.assign(new Error("no"), { code: "ECONNREFUSED" });

/** Two ends of one connection. */
async function pair(): Promise<[Deno.TcpConn, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  return [conn, await listener.accept()];
}

Deno.test("retry() goes on as long as it is of use, by the verdict", async () => {
  const waits: (number | undefined)[] = [];
  const options = {
    ...{ firstMs: 1, maxMs: 1, floor: 1 },
    onFailure: (_: unknown, ms: number | undefined) => void waits.push(ms),
  };
  let calls = 0;
  const value = await retry(({ attempt }) => {
    assertEquals(attempt, calls++);
    if (calls < 4) throw cut();
    return calls;
  }, options);
  // At once after a cut, and with a wait after that.
  assertEquals([value, waits], [4, [0, 1, 1]]);
  for (const hopeless of [new TypeError("bad"), { name: "NotCapable" }]) {
    calls = 0;
    const error = await assertRejects(
      () =>
        retry(() => {
          calls++;
          throw hopeless;
        }, options),
      RecoveryError,
    );
    assertEquals([error.code, calls], ["recovery/gave-up", 1]);
    assertEquals(error.cause, hopeless);
  }
});

Deno.test("retry() ends by attempts, budget, breaker, deadline and signal", async () => {
  const fast = { firstMs: 1, maxMs: 1 };
  let calls = 0;
  const fail = () => {
    calls++;
    throw refused();
  };
  await assertRejects(
    () => retry(fail, { ...fast, attempts: 3 }),
    Error,
    "3 of 3",
  );
  assertEquals(calls, 3);
  calls = 0;
  const budget = retryBudget({ capacity: 2, perSecond: 0 });
  await assertRejects(() => retry(fail, { ...fast, budget }), RecoveryError);
  assertEquals(calls, 3);
  calls = 0;
  const breaker = circuitBreaker({ failures: 2, openMs: 3_600_000 });
  await assertRejects(
    () => retry(fail, { ...fast, breaker, attempts: 10 }),
    RecoveryError,
  );
  assertEquals(calls, 2, "the breaker let more through");
  const late = await assertRejects(
    () => retry(() => new Promise(() => {}), { deadlineMs: 20 }),
    DOMException,
  );
  assertEquals(late.name, "TimeoutError");
  const abort = new AbortController();
  const waiting = retry(fail, {
    firstMs: 3_600_000,
    floor: 1,
    maxMs: 3_600_000,
    signal: abort.signal,
    deadlineMs: 3_600_000,
  });
  setTimeout(() => abort.abort(new Error("enough")), 10);
  await assertRejects(() => waiting, Error, "enough");
});

Deno.test("retry() waits for the network, and not a moment longer", async () => {
  using network = new Emitter<{ readonly type: "online" | "offline" }>();
  using pause = pausedWhile(network);
  network.emit({ type: "offline" });
  let calls = 0;
  const hour = 3_600_000;
  const working = retry(() => {
    if (calls++ === 0) throw refused();
    return "fine";
  }, { firstMs: hour, maxMs: hour, floor: 1, deadlineMs: 2 * hour, pause });
  await new Promise((resolve) => setTimeout(resolve, 10));
  assertEquals(calls, 1);
  network.emit({ type: "online" });
  assertEquals(await working, "fine");
});

Deno.test("writeAll() writes what write() leaves, and ends when nobody reads", async () => {
  const [conn, other] = await pair();
  using _other = other;
  using _conn = conn;
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  const got: number[] = [];
  const reading = (async () => {
    const buffer = new Uint8Array(10_000);
    while (got.length < bytes.length) {
      const count = await other.read(buffer);
      if (count === null) break;
      got.push(...buffer.subarray(0, count));
    }
  })();
  await writeAll(conn, bytes, { pieceBytes: 1_000 });
  await reading;
  assertEquals(new Uint8Array(got), bytes);
  const error = await assertRejects(
    () => writeAll(conn, new Uint8Array(64 << 20), { stallMs: 100 }),
    RecoveryError,
  );
  assertEquals(error.code, "recovery/write-stalled");
});

Deno.test("timedReader() loses nothing when it is late, where Promise.race does", async () => {
  const [conn, other] = await pair();
  using _other = other;
  using _conn = conn;
  // Plain: the read that lost takes the byte with it.
  const lost = new Uint8Array(1);
  const reading = conn.read(lost);
  await Promise.race([
    reading,
    new Promise((resolve) => setTimeout(resolve, 5)),
  ]);
  await other.write(new Uint8Array([1]));
  await other.write(new Uint8Array([2]));
  await reading;
  const reader = timedReader(conn);
  assertEquals(await reader.read(10_000), new Uint8Array([2]));
  for (let i = 0; i < 3; i++) {
    await assertRejects(() => reader.read(1), DOMException, "Nothing came");
  }
  await other.write(new Uint8Array([3]));
  assertEquals(await reader.read(10_000), new Uint8Array([3]));
  other.closeWrite();
  assertEquals(await reader.read(10_000), null);
});

Deno.test("a connection that takes nothing stalls, and two reads at once are refused", async () => {
  let writes = 0;
  const shy = {
    write: () => {
      if (++writes > 1_000) throw new Error("it goes on for ever");
      return Promise.resolve(0);
    },
  };
  const error = await assertRejects(
    () => writeAll(shy, new Uint8Array(1)),
    RecoveryError,
  );
  assertEquals(error.code, "recovery/write-stalled");
  const [conn, other] = await pair();
  using _other = other;
  using _conn = conn;
  const reader = timedReader(conn);
  const first = reader.read(10_000);
  await assertRejects(() => reader.read(10_000), TypeError, "under way");
  await other.write(new Uint8Array([1]));
  assertEquals(await first, new Uint8Array([1]));
});

Deno.test("latched() keeps the reset that a write met, and writes to nobody", async () => {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.resetAndDestroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port });
  const provoke = async (conn: Pick<Deno.Conn, "read" | "write">) => {
    await conn.write(new Uint8Array(1));
    // Until a write, and not a read, meets the reset.
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      try {
        await conn.write(new Uint8Array(1));
      } catch {
        return await conn.read(new Uint8Array(1)).catch((error) => error);
      }
    }
  };
  const plain = await connect();
  assertEquals(await provoke(plain), null, "plain Deno takes it for an end");
  plain.close();
  using careful = latched(await connect());
  assert(await provoke(careful) instanceof Error);
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("finish() closes so that the other side reads everything", async () => {
  const [conn, other] = await pair();
  using client = latched(conn);
  using server = latched(other);
  await client.write(new Uint8Array(10_000));
  const half = new Uint8Array(100);
  await server.read(half);
  await server.write(new TextEncoder().encode("the last word"));
  const finishing = server.finish();
  const got = new Uint8Array(100);
  assertEquals(await client.read(got), 13);
  assertEquals(await client.read(got), null);
  assertEquals([await client.finish(), await finishing], [true, true]);
  await assertRejects(() => client.finish({ deadlineMs: NaN }), RangeError);
  const [alone, silent] = await pair();
  using _silent = silent;
  assertEquals(await latched(alone).finish({ deadlineMs: 20 }), false);
});
