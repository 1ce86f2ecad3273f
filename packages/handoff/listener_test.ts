import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { listen } from "./listen.ts";
import type { PassableListener } from "./listener.ts";

type AnyListener = Deno.Listener<Deno.TcpConn, Deno.NetAddr>;

const MAKERS: (() => AnyListener | Promise<PassableListener>)[] = [
  () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  () => listen({ port: 0 }),
];

/** Runs a script on Deno's listener and ours; what it returns must be the same. */
async function same(
  script: (listener: AnyListener) => Promise<unknown>,
): Promise<void> {
  const results: unknown[] = [];
  for (const make of MAKERS) {
    using listener = await make();
    results.push(await script(listener));
  }
  assertEquals(results[1], results[0]);
}

async function outcome(work: () => unknown): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return (error as Error).name + ": " + (error as Error).message;
  }
}

function dial(listener: AnyListener): Promise<Deno.TcpConn> {
  return Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
}

Deno.test("PassableListener gives what Deno.Listener gives when it is closed", async () => {
  await same(async (listener) => {
    const pending = outcome(() => listener.accept());
    const second = await outcome(() => listener.accept());
    listener.close();
    return [
      second,
      await pending,
      await outcome(() => listener.accept()),
      await outcome(() => listener.close()),
      await outcome(() => listener[Symbol.dispose]()),
    ];
  });
});

Deno.test("PassableListener's iteration ends as Deno.Listener's does", async () => {
  await same(async (listener) => {
    const iterator = listener[Symbol.asyncIterator]();
    const next = iterator.next();
    listener.close();
    return [await next, await iterator.next()];
  });
  await same(async (listener) => {
    const client = await dial(listener);
    for await (const conn of listener) {
      conn.close();
      break;
    }
    client.close();
    return await outcome(() => listener.accept());
  });
});

Deno.test("PassableListener gives both addresses as Deno.Listener does", async () => {
  await same(async (listener) => {
    using client = await dial(listener);
    using conn = await listener.accept();
    assertEquals({ ...conn.remoteAddr }, { ...client.localAddr });
    assertEquals({ ...conn.localAddr }, { ...listener.addr });
    return { ...listener.addr, port: 0 };
  });
});

Deno.test("listen() refuses what Deno.listen refuses", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await assertRejects(
    () => listen({ port: taken.addr.port }),
    Deno.errors.AddrInUse,
  );
  // From the documentation range: no machine has it.
  const error = await listen({ port: 0, hostname: "192.0.2.1" }).catch((e) =>
    e
  );
  assert(
    error instanceof Deno.errors.AddrNotAvailable ||
      error instanceof Deno.errors.NotCapable,
    error,
  );
  for (const port of [-1, 70_000, 1.5, NaN]) {
    await assertRejects(() => listen({ port }), RangeError, String(port));
  }
  await assertRejects(
    () => listen({ port: 0, signal: AbortSignal.abort("why not") }),
  ).catch((error) => assertEquals(error, "why not"));
});

Deno.test("PassableListener loses no connection of a burst, however often it is paused", async () => {
  using listener = await listen({ port: 0 });
  const CLIENTS = 30, ROUNDS = 10;
  let answered = 0;
  const server = (async () => {
    for await (const conn of listener) {
      // At every single connection, in the turn in which it arrives.
      void listener.pause();
      listener.resume();
      await conn.write(Uint8Array.of(42));
      conn.close();
    }
  })();
  await Promise.all(Array.from({ length: CLIENTS }, async () => {
    const buffer = new Uint8Array(2);
    for (let round = 0; round < ROUNDS; round++) {
      using client = await dial(listener);
      if (await client.read(buffer) === 1 && buffer[0] === 42) answered++;
    }
  }));
  listener.close();
  await server;
  assertEquals(answered, CLIENTS * ROUNDS);
});

Deno.test("PassableListener stops taking connections that nobody wants", async () => {
  using listener = await listen({ port: 0, tcpBacklog: 4 });
  const first = listener.accept();
  const clients: Deno.TcpConn[] = [];
  // Turn by turn, so that the limit and not one burst decides.
  for (let i = 0; i < 18; i++) {
    clients.push(await dial(listener));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  (await first).close();
  // Accepting has stopped by now: what comes stays with the kernel, which
  // holds 5 and lets the rest wait for an answer.
  const more = new AbortController();
  const rest = Array.from({ length: 8 }, () =>
    Deno.connect({
      hostname: "127.0.0.1",
      port: listener.addr.port,
      signal: more.signal,
    }).then((conn) => (conn.close(), true), () => false));
  await new Promise((resolve) => setTimeout(resolve, 200));
  more.abort();
  const connected = (await Promise.all(rest)).filter((ok) => ok).length;
  assert(connected < 8, `all ${connected} were taken`);
  // And once wanted, they come.
  for (let i = 0; i < 17; i++) (await listener.accept()).close();
  for (const client of clients) client.close();
});

Deno.test("PassableListener.pause leaves clients in the kernel's queue until resume", async () => {
  using listener = await listen({ port: 0 });
  await listener.pause();
  assert(listener.paused);
  const accepted = listener.accept();
  using client = await dial(listener);
  await client.write(Uint8Array.of(1));
  const early = await Promise.race([
    accepted.then(() => "accepted"),
    new Promise((resolve) => setTimeout(resolve, 50, "waiting")),
  ]);
  assertEquals(early, "waiting");
  listener.resume();
  using conn = await accepted;
  assertEquals(await conn.read(new Uint8Array(4)), 1);
});

Deno.test("PassableListener.pause gives out what it had accepted, and then nothing", async () => {
  using listener = await listen({ port: 0 });
  const taken: Deno.Conn[] = [];
  const server = (async () => {
    for await (const conn of listener) taken.push(conn);
  })();
  // Some of these are in the middle of being accepted.
  const clients = await Promise.all(
    Array.from({ length: 20 }, () => dial(listener)),
  );
  await listener.pause();
  const before = taken.length;
  clients.push(await dial(listener));
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals(taken.length, before);
  listener.resume();
  while (taken.length < clients.length) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  listener.close();
  await server;
  for (const conn of [...taken, ...clients]) conn.close();
});

Deno.test("PassableListener survives a client that resets before it is taken", async () => {
  using listener = await listen({ port: 0 });
  const first = listener.accept();
  using client = await dial(listener);
  using conn = await first;
  const { connect } = await import("node:net");
  const rude = connect(listener.addr.port, "127.0.0.1");
  await new Promise((resolve) => rude.once("connect", resolve));
  rude.resetAndDestroy();
  await new Promise((resolve) => setTimeout(resolve, 20));
  using polite = await dial(listener);
  await polite.write(Uint8Array.of(9));
  const buffer = new Uint8Array(1);
  while (buffer[0] !== 9) {
    using next = await listener.accept();
    await next.read(buffer).catch(() => null);
  }
  assertThrows(() => (conn.close(), conn.close()), Deno.errors.BadResource);
  void client;
});

Deno.test({
  name: "listen() rejects, and can be caught, without the permission",
  permissions: { net: ["127.0.0.1:1"] },
  fn: async () => {
    await assertRejects(
      () => listen({ port: 0 }),
      Deno.errors.NotCapable,
      "--allow-net=127.0.0.1:0",
    );
    await assertRejects(
      () => listen({ port: 0, hostname: "some.invalid" }),
      Deno.errors.NotCapable,
      "--allow-net=some.invalid",
    );
  },
});

Deno.test("PassableListener does not keep the program alive unless somebody accepts", async () => {
  const url = import.meta.resolve("./listen.ts");
  const program = `
    import { listen } from ${JSON.stringify(url)};
    const listener = await listen({ port: 0 });
    const accepting = listener.accept();
    const client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
    (await accepting).close();
    client.close();
    listener.unref();
    listener.accept();
    console.log("end");
  `;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", program],
    signal: AbortSignal.timeout(10_000),
  }).output();
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "end\n"]);
});
