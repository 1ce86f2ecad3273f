import { assert, assertEquals, assertRejects } from "@std/assert";
import { deadline, delay } from "@std/async";
import { CutProxy } from "@holdfast/testkit/proxy";
import {
  type AcceptOptions,
  acceptResumable,
  connectResumable,
  type ResumableConn,
  type ResumeError,
  type ResumeServer,
} from "./mod.ts";
import { sqliteStore } from "./sqlite.ts";
import { memoryStore, type SessionStore } from "./store.ts";
import { readPattern, writePattern } from "./testdata/pair.ts";

const STALL_MS = 20_000;

interface Running {
  readonly server: ResumeServer;
  readonly listener: Deno.TcpListener;
}

/** Servers behind one address, of which the newest is reached. */
class Place implements AsyncDisposable {
  readonly proxy: CutProxy;
  readonly store: SessionStore;
  readonly #options: AcceptOptions;
  readonly #servers: Running[] = [];

  constructor(proxy: CutProxy, store: SessionStore, options: AcceptOptions) {
    this.proxy = proxy;
    this.store = store;
    this.#options = options;
  }

  /** Starts one; those before it know nothing of it, as if they had hung. */
  start(): ResumeServer {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.proxy.forward("127.0.0.1", listener.addr.port);
    const { store } = this;
    const server = acceptResumable(listener, { ...this.#options, store });
    this.#servers.push({ server, listener });
    return server;
  }

  connect(): Promise<ResumableConn> {
    return connectResumable(
      () => Deno.connect({ hostname: "127.0.0.1", port: this.proxy.port }),
      { redialMaxMs: 50 },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { server, listener } of this.#servers) {
      await server.close();
      try {
        listener.close();
      } catch {
        // The server did, unless it was suspended before.
      }
    }
    await this.proxy[Symbol.asyncDispose]();
    await this.store[Symbol.asyncDispose]();
  }
}

async function place(
  store: SessionStore,
  options: AcceptOptions = {},
): Promise<Place> {
  return new Place(await CutProxy.start(), store, options);
}

const STORES = {
  memory: () => Promise.resolve({ store: memoryStore(), folder: "" }),
  SQLite: async () => {
    const folder = await Deno.makeTempDir();
    return { store: sqliteStore(`${folder}/s.db`), folder };
  },
};

for (const [name, open] of Object.entries(STORES)) {
  Deno.test(`${name}: streams both ways go on at other servers, as if each had been killed (I8, I19)`, async () => {
    const { store, folder } = await open();
    const total = 3 * 1024 * 1024 + 17;
    {
      await using at = await place(store);
      let server = at.start();
      const client = await at.connect();
      const work = Promise.all([
        writePattern(client, 1, 0, total).then(() => client.closeWrite()),
        readPattern(client, 2, 0, total),
      ]);
      const serve = async (conn: ResumableConn): Promise<boolean> => {
        try {
          await Promise.all([
            writePattern(conn, 2, conn.bytesWritten, total)
              .then(() => conn.closeWrite()),
            readPattern(conn, 1, conn.bytesRead, total),
          ]);
          return true;
        } catch (error) {
          // Told when it asks the store again, or never.
          const { code } = error as ResumeError;
          assert(["resume/taken-over", "resume/server-closed"].includes(code));
          return false;
        }
      };
      let serving = serve(await server.accept());
      for (let i = 0; i < 5; i++) {
        const before = at.proxy.bytes;
        while (at.proxy.bytes < before + total / 4) await delay(1);
        // The old one is not told: what it commits from now on is too late.
        server = at.start();
        at.proxy.cut();
        const conn = await deadline(server.accept(), STALL_MS);
        assert(conn.restored && conn.sid === client.sid);
        serving = serve(conn);
      }
      await deadline(work, STALL_MS);
      assertEquals(await serving, true);
      assertEquals(await client.read(new Uint8Array(1)), null);
      client.close();
      await client.closed;
    }
    if (folder !== "") await Deno.remove(folder, { recursive: true });
  });
}

Deno.test("what was not committed was never sent, and is read again (I19)", async () => {
  await using at = await place(memoryStore(), { commits: "manual" });
  const first = at.start();
  const client = await at.connect();
  const conn = await first.accept();
  await client.write(new Uint8Array([1, 2, 3, 4]));
  const into = new Uint8Array(8);
  while (conn.bytesRead < 4) await conn.read(into);
  await conn.write(new Uint8Array([10]));
  await conn.commit(2, new Uint8Array([42]));
  assertEquals(await client.read(into), 1);
  await conn.write(new Uint8Array([99])); // Never committed.
  await delay(60);
  assertEquals(client.stats().arrived, 1);
  assertEquals(client.stats().acked, 2);
  await assertRejects(() => conn.commit(1, into), RangeError, "from 2 to 4");
  await assertRejects(() => conn.commit(5, into), RangeError, "from 2 to 4");

  const second = at.start();
  at.proxy.cut();
  const again = await second.accept();
  assertEquals(again.appState, new Uint8Array([42]));
  assertEquals([again.bytesRead, again.bytesWritten], [2, 1]);
  await again.read(into.subarray(0, 1));
  assertEquals(into[0], 3);
  await again.write(new Uint8Array([11]));
  await again.commit(3, new Uint8Array([43]));
  assertEquals(await client.read(into), 1);
  assertEquals(into[0], 11);
  client.abort();
});

Deno.test("a server that was frozen while another took over is turned away at its next word (I8)", async () => {
  await using at = await place(memoryStore());
  const frozen = at.start();
  const client = await at.connect();
  const late = await frozen.accept();
  const second = at.start();
  at.proxy.cut();
  const conn = await second.accept();
  const lost = late.once("lost");
  await late.write(new Uint8Array([66]));
  assertEquals((await lost).code, "resume/taken-over");
  await conn.write(new Uint8Array([5]));
  const into = new Uint8Array(8);
  assertEquals([await client.read(into), into[0]], [1, 5]);
  // Nor does the end of the one end the other.
  await frozen.close();
  await client.write(new Uint8Array([6]));
  assertEquals([await conn.read(into), into[0]], [1, 6]);
  client.abort();
});

Deno.test("commit() needs a store, and a server that leaves it to the program", async () => {
  await using at = await place(memoryStore());
  const server = at.start();
  const client = await at.connect();
  const conn = await server.accept();
  const nothing = new Uint8Array(0);
  for (const one of [client, conn]) {
    await assertRejects(() => one.commit(0, nothing), TypeError, '"manual"');
  }
  client.abort();
});

/** Fails as long as it is told to, and does what it is asked before or after. */
function failing(store: SessionStore) {
  const control = { fails: false, calls: 0, appliesFirst: false };
  const maybe = async <T>(work: () => Promise<T>): Promise<T> => {
    control.calls++;
    if (!control.fails) return await work();
    if (control.appliesFirst) await work();
    throw new Error("the disk is full");
  };
  const wrapped: SessionStore = {
    create: (session) => maybe(() => store.create(session)),
    find: (sid) => maybe(() => store.find(sid)),
    claim: (claim) => maybe(() => store.claim(claim)),
    commit: (changes) => maybe(() => store.commit(changes)),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
  return { wrapped, control };
}

Deno.test("what is committed is the state of that moment, though its memory is used again (I19)", async () => {
  const store = memoryStore();
  const kept: number[] = [];
  const commit = store.commit.bind(store);
  store.commit = (changes) => {
    kept.push(...changes.flatMap(({ appState }) => [...appState ?? []]));
    return commit(changes);
  };
  await using at = await place(store, { commits: "manual" });
  const server = at.start();
  const client = await at.connect();
  const conn = await server.accept();
  const state = Uint8Array.of(1);
  const committed = conn.commit(0, state);
  state[0] = 2;
  await committed;
  assertEquals([kept, conn.appState], [[1], Uint8Array.of(1)]);
  client.abort();
});

Deno.test("while a store fails nothing is sent or acknowledged, and nothing is lost", async () => {
  const { wrapped, control } = failing(memoryStore());
  await using at = await place(wrapped);
  const server = at.start();
  const failures: string[] = [];
  server.on("store-failed", ({ error }) => failures.push(error));
  const client = await at.connect();
  const conn = await server.accept();
  control.fails = true;
  const work = Promise.all([
    writePattern(client, 1, 0, 200_000),
    readPattern(conn, 1, 0, 200_000),
    writePattern(conn, 2, 0, 200_000),
    readPattern(client, 2, 0, 200_000),
  ]);
  while (failures.length < 3) await delay(5);
  assertEquals([client.stats().acked, client.stats().arrived], [0, 0]);
  control.fails = false;
  await deadline(work, STALL_MS);
  assert(failures.every((error) => error === "the disk is full"));
  client.abort();
});

Deno.test("a claim whose answer was lost is recognized as one's own", async () => {
  const { wrapped, control } = failing(memoryStore());
  await using at = await place(wrapped);
  const server = at.start();
  const client = await at.connect();
  const conn = await server.accept();
  let lost = 0;
  conn.on("lost", () => lost++);
  control.fails = control.appliesFirst = true;
  const { calls } = control;
  const resumed = client.once("resumed");
  at.proxy.cut();
  while (control.calls === calls) await delay(1);
  control.fails = false;
  await deadline(resumed, STALL_MS);
  await Promise.all([
    writePattern(client, 1, 0, 50_000),
    readPattern(conn, 1, 0, 50_000),
  ]);
  assertEquals(lost, 0);
  client.abort();
});

Deno.test("a session that ended is told of by the next server, with proof", async () => {
  await using at = await place(memoryStore());
  const server = at.start();
  const client = await at.connect();
  const conn = await server.accept();
  await client.write(new Uint8Array(1_000));
  at.proxy.cut();
  conn.abort();
  await delay(20);
  at.start();
  await client.closed;
  assertEquals(client.state, { name: "lost", code: "resume/gone" });
});

Deno.test("suspend() leaves sessions in the store, and a revoked one is in none", async () => {
  await using at = await place(memoryStore());
  const server = at.start();
  const [kept, revoked] = [await at.connect(), await at.connect()];
  const conns = [await server.accept(), await server.accept()];
  await conns[0]!.write(new Uint8Array([7]));
  assertEquals(server.revoke(revoked.sid), true);
  await revoked.closed;
  await server.suspend();
  assertEquals(await at.store.find(revoked.sid), undefined);
  const next = at.start();
  at.proxy.cut();
  const again = await next.accept();
  assertEquals([again.sid, again.restored], [kept.sid, true]);
  const into = new Uint8Array(1);
  assertEquals([await kept.read(into), into[0]], [1, 7]);
  kept.abort();
});

Deno.test("a server that always has something to record is suspended all the same", async () => {
  await using kept = memoryStore();
  const conns: ResumableConn[] = [];
  const store: SessionStore = {
    create: (session) => kept.create(session),
    find: (sid) => kept.find(sid),
    claim: (claim) => kept.claim(claim),
    async commit(changes) {
      // Before each commit is done there is something new.
      await conns[0]?.write(new Uint8Array(1)).catch(() => {});
      return await kept.commit(changes);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const loopback = { hostname: "127.0.0.1", port: 0 };
  const listener = Deno.listen(loopback);
  const server = acceptResumable(listener, { store });
  const client = await connectResumable(() =>
    Deno.connect({ ...loopback, port: listener.addr.port })
  );
  const accepted = await server.accept();
  conns.push(accepted);
  await accepted.write(new Uint8Array(1));
  await deadline(client.read(new Uint8Array(1)), STALL_MS);
  await deadline(server.suspend(), STALL_MS);
  assertEquals(accepted.state.name, "suspended");
  client.abort();
  listener.close();
  await server.close();
});
