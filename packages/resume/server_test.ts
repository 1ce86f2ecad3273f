import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { delay } from "@std/async/delay";
import { acceptResumable, connectResumable, ResumeError } from "./mod.ts";
import { openPair, readPattern, writePattern } from "./testdata/pair.ts";

const encoder = new TextEncoder();
const KEY = {
  id: encoder.encode("k1"),
  key: crypto.getRandomValues(new Uint8Array(32)),
};

function listen() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dial = () =>
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  return { listener, dial };
}

/** A raw connection that says something, and what it hears until the end. */
async function say(
  dial: () => Promise<Deno.Conn>,
  bytes: Uint8Array,
): Promise<Uint8Array> {
  const conn = await dial();
  const heard: number[] = [];
  try {
    await conn.write(bytes);
    const into = new Uint8Array(1024);
    for (let n; (n = await conn.read(into)) !== null;) {
      heard.push(...into.subarray(0, n));
    }
  } catch {
    // A reset is as good an end as any.
  }
  conn.close();
  return Uint8Array.from(heard);
}

Deno.test("a pre-shared key proves each end to the other", async () => {
  const { listener, dial } = listen();
  await using server = acceptResumable(listener, {
    presharedKey: (id) =>
      new TextDecoder().decode(id) === "k1" ? KEY.key : undefined,
  });
  const client = await connectResumable(dial, { presharedKey: KEY });
  const accepted = await server.accept();
  assertEquals(accepted.keyId, KEY.id);
  client.abort();

  const wrong = [
    { id: KEY.id, key: new Uint8Array(32) },
    { id: encoder.encode("k2"), key: KEY.key },
    undefined,
  ];
  for (const presharedKey of wrong) {
    const error = await assertRejects(
      () => connectResumable(dial, { presharedKey }),
      ResumeError,
    );
    assertEquals(error.code, "resume/refused");
  }
});

Deno.test("recorded, changed and invented handshakes change nothing (I9, I10)", async () => {
  const { listener, dial } = listen();
  await using server = acceptResumable(listener, { handshakeTimeoutMs: 200 });
  // A wire tap: what the client says on each of its transports.
  const taps: Uint8Array<ArrayBuffer>[][] = [];
  let transport: Deno.TcpConn;
  const client = await connectResumable(async () => {
    transport = await dial();
    const tap: Uint8Array<ArrayBuffer>[] = [];
    taps.push(tap);
    const write = transport.write.bind(transport);
    transport.write = (bytes) => {
      tap.push(bytes.slice());
      return write(bytes);
    };
    return transport;
  });
  const accepted = await server.accept();
  const resumed = client.once("resumed");
  transport!.close();
  await resumed;
  const [opening, resumption] = [taps[0]![0]!, taps[1]![0]!];
  assertEquals(opening[4], 1);
  assertEquals(resumption[4], 2);

  let detached = 0;
  accepted.on("detached", () => detached++);
  const attacks = [opening, resumption, concat(resumption, taps[1]![1]!)];
  for (let bit = 0; bit < resumption.length * 8; bit += 13) {
    const flipped = resumption.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    attacks.push(flipped);
  }
  for (let length = 0; length < resumption.length; length += 17) {
    attacks.push(resumption.slice(0, length));
  }
  await Promise.all(attacks.map((bytes) => say(dial, bytes)));
  assertEquals(detached, 0);
  assertEquals(server.sessions, 1);

  const work = [
    writePattern(client, 1, 0, 300_000),
    readPattern(accepted, 1, 0, 300_000),
  ];
  await Promise.all(work);
  client.abort();
});

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...a, ...b]);
}

Deno.test("an unknown session and a bad proof get the same answer", async () => {
  const { listener, dial } = listen();
  await using server = acceptResumable(listener);
  const client = await connectResumable(dial);
  await server.accept();
  const resume = (sid: Uint8Array) => {
    const record = new Uint8Array(7 + 90);
    record.set([0x48, 0x46, 0x52, 0x31, 2, 0, 90, 1, 1]);
    record.set(sid, 9);
    record[9 + 16 + 7] = 9; // an epoch
    return record;
  };
  const known = await say(dial, resume(Uint8Array.fromHex(client.sid)));
  const unknown = await say(dial, resume(new Uint8Array(16)));
  assertEquals(known, unknown);
  assertEquals([known[4], known[7]], [5, 1]);
  client.abort();
});

Deno.test("noise, silence and too many at once harm no session (I21)", async () => {
  await using pair = await openPair({
    accept: { handshakeTimeoutMs: 300, limits: { handshakesMax: 20 } },
  });
  const { client, accepted, listener, server } = pair;
  const dial = () =>
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  let refused = 0;
  server.on("handshake-refused", () => refused++);
  const work = [
    writePattern(client, 1, 0, 4_000_000),
    readPattern(accepted, 1, 0, 4_000_000),
  ];
  const noise = Array.from({ length: 60 }, async (_, i) => {
    if (i % 3 === 0) {
      return void await say(dial, encoder.encode("GET / HTTP/1.1\r\n\r\n"));
    }
    if (i % 3 === 1) {
      return void await say(dial, crypto.getRandomValues(new Uint8Array(300)));
    }
    const silent = await dial();
    await silent.read(new Uint8Array(1)).catch(() => {});
    silent.close();
  });
  await Promise.all([...work, ...noise]);
  assertEquals(refused, 60);
  assertEquals(client.stats().resumed, 0);
});

Deno.test("a full server says so, and has room again when a session ends", async () => {
  const { listener, dial } = listen();
  await using server = acceptResumable(listener, {
    limits: { sessionsMax: 1 },
  });
  const first = await connectResumable(dial);
  const accepted = await server.accept();
  const error = await assertRejects(
    () => connectResumable(dial),
    ResumeError,
    "try again in",
  );
  assertEquals(error.code, "resume/busy");
  first.close();
  accepted.close();
  await first.closed;
  while (server.sessions > 0) await delay(1);
  const second = await connectResumable(dial);
  second.abort();
});

Deno.test("of two transports that resume at once one wins, and the stream goes on (I5, I7)", async () => {
  // The client redials while an older attempt still hangs in the network.
  await using pair = await openPair({ proxy: { delayMs: 30 } });
  const { client, accepted, proxy } = pair;
  const work = [
    writePattern(client, 1, 0, 500_000),
    readPattern(accepted, 1, 0, 500_000),
  ];
  for (let i = 0; i < 5; i++) {
    await delay(15); // inside the handshake of the one before
    proxy.cut("client");
  }
  await Promise.all(work);
});

Deno.test("closing the server ends its sessions with a word to their clients", async () => {
  await using pair = await openPair();
  await pair.server.close();
  const error = await assertRejects(
    () => pair.client.read(new Uint8Array(1)),
    ResumeError,
  );
  assertEquals(error.code, "resume/reset");
  const closed = await assertRejects(() => pair.server.accept(), ResumeError);
  assertEquals(closed.code, "resume/server-closed");
});

Deno.test("options out of range and foreign snapshots are told in one sentence", async () => {
  const { listener, dial } = listen();
  assertThrows(
    () => acceptResumable(listener, { ttlMs: 0 }),
    RangeError,
    "Cannot use ttlMs: it must be from 1 to 2147483647: current value is 0",
  );
  assertThrows(
    () => acceptResumable(listener, { restore: encoder.encode("{}") }),
    ResumeError,
    "Cannot restore sessions: the snapshot is not usable",
  );
  await assertRejects(
    () => connectResumable(dial, { heartbeatMs: NaN }),
    RangeError,
    "heartbeatMs",
  );
  listener.close();
});

Deno.test("a session that a client never comes back to costs nothing for long", async () => {
  await using pair = await openPair({ accept: { ttlMs: 50 } });
  assert(pair.server.sessions === 1);
  const ended = pair.server.once("session-ended");
  pair.proxy.forward("127.0.0.1", 1);
  pair.proxy.cut();
  assertEquals((await ended).reason, "resume/lost");
  assertEquals(pair.server.sessions, 0);
});

Deno.test("authorize is asked on every resume, and what it refuses ends for good", async () => {
  const { listener, dial } = listen();
  let allowed = true;
  const asked: string[] = [];
  await using server = acceptResumable(listener, {
    authorize: ({ kind, sid }) => {
      asked.push(`${kind} ${sid}`);
      return allowed;
    },
  });
  let transport: Deno.TcpConn;
  const client = await connectResumable(async () => transport = await dial());
  await server.accept();
  const resumed = client.once("resumed");
  transport!.close();
  await resumed;
  assertEquals(asked, [`open ${client.sid}`, `resume ${client.sid}`]);
  allowed = false;
  transport!.close();
  const error = await assertRejects(
    () => client.read(new Uint8Array(1)),
    ResumeError,
  );
  assertEquals(error.code, "resume/denied");
  // Who may not even open hears it on the stream that it got.
  const denied = await connectResumable(dial);
  const first = await assertRejects(
    () => denied.read(new Uint8Array(1)),
    ResumeError,
  );
  assertEquals(first.code, "resume/denied");
});

Deno.test("a revoked session ends at once, and cannot come back (I12)", async () => {
  await using pair = await openPair();
  const { client, accepted, server } = pair;
  assert(server.revoke(client.sid));
  assertEquals(server.revoke(client.sid), false);
  for (const conn of [client, accepted]) {
    const error = await assertRejects(
      () => conn.read(new Uint8Array(1)),
      ResumeError,
    );
    assertEquals(error.code, "resume/denied");
  }
  assertEquals(server.sessions, 0);
});

Deno.test("a client that was away when its session was revoked is told so too (I12)", async () => {
  const { listener, dial } = listen();
  await using server = acceptResumable(listener);
  let away = false;
  let last: Deno.Conn | undefined;
  const client = await connectResumable(async () => {
    if (away) throw new Error("no way there");
    return last = await dial();
  }, { redialMaxMs: 50 });
  const accepted = await server.accept();
  const detached = accepted.once("detached");
  away = true;
  last!.close();
  await detached;
  assert(server.revoke(client.sid));
  assertEquals(server.revoke(client.sid), false);
  const lost = client.once("lost");
  away = false;
  assertEquals((await lost).code, "resume/denied");
});

Deno.test("keys change with every resume, and a lost answer locks nobody out (I11)", async () => {
  const { listener, dial } = listen();
  await using server = acceptResumable(listener);
  // Loses the server's answer to every other RESUME, after it was given; and
  // the client's confirmation of others.
  let tries = 0;
  let last: Deno.TcpConn | undefined;
  const client = await connectResumable(async () => {
    const conn = await dial();
    const n = tries++;
    if (n % 3 === 1) {
      const read = conn.read.bind(conn);
      conn.read = async (into) => {
        await read(into);
        conn.close();
        throw new Error("the answer was lost");
      };
    }
    if (n % 3 === 2) {
      const write = conn.write.bind(conn);
      let writes = 0;
      conn.write = (bytes) => {
        if (++writes < 2) return write(bytes);
        conn.close();
        return Promise.reject(new Error("the confirmation was lost"));
      };
    }
    last = conn;
    return conn;
  }, { redialMaxMs: 51 });
  const accepted = await server.accept();
  for (let i = 0; i < 6; i++) {
    const resumed = client.once("resumed");
    last!.close();
    await resumed;
    await writePattern(client, 1, i * 10, i * 10 + 10);
    await readPattern(accepted, 1, i * 10, i * 10 + 10);
  }
  assert(tries >= 12, `${tries} tries`);
  client.abort();
});

Deno.test("notices reach the client: draining, and where to dial from now on", async () => {
  const { listener, dial } = listen();
  await using server = acceptResumable(listener);
  const told: (string | undefined)[] = [];
  let transport: Deno.TcpConn;
  const client = await connectResumable(async ({ movedTo }) => {
    told.push(movedTo);
    return transport = await dial();
  });
  await server.accept();
  const draining = client.once("peer-draining");
  server.notify({ kind: "draining" });
  await draining;
  const moved = client.once("peer-moved");
  server.notify({ kind: "moved", to: "elsewhere:1" });
  assertEquals((await moved).to, "elsewhere:1");
  const resumed = client.once("resumed");
  transport!.close();
  await resumed;
  assertEquals(told, [undefined, "elsewhere:1"]);
  client.abort();
});

Deno.test("a place that is too long to be told is refused, and not told in part", async () => {
  await using pair = await openPair();
  const { client, server } = pair;
  assertThrows(
    () => server.notify({ kind: "moved", to: "ü".repeat(128) }),
    RangeError,
    "at most 255 bytes: current length is 256",
  );
  const moved = client.once("peer-moved");
  const to = "x".repeat(255);
  server.notify({ kind: "moved", to });
  assertEquals((await moved).to, to);
});

Deno.test("who is told that a server drains hears it although it is suspended at once, with both directions full", async () => {
  const { listener, dial } = listen();
  await using server = acceptResumable(listener);
  const told = new Set<string>();
  const clients = [];
  const talking: Promise<unknown>[] = [];
  // Nobody comes back: a handshake under way would outlive the test.
  let over = false;
  for (let i = 0; i < 8; i++) {
    const client = await connectResumable(() => {
      if (over) throw new Error("It is over");
      return dial();
    });
    const accepted = await server.accept();
    clients.push(client);
    client.on("peer-draining", () => void told.add(client.sid));
    for (const from of [client, accepted]) {
      talking.push(
        (async () => {
          for (const chunk = new Uint8Array(65_536);;) await from.write(chunk);
        })().catch(() => {}),
      );
    }
    // Half of them read nothing: what arrives stays where it is.
    if (i % 2 === 0) continue;
    for (const to of [client, accepted]) {
      talking.push(
        (async () => {
          for (const into = new Uint8Array(65_536);;) await to.read(into);
        })().catch(() => {}),
      );
    }
  }
  await delay(50);
  server.notify({ kind: "draining" });
  const gone = clients.map((client) => client.once("detached"));
  over = true;
  await server.suspend();
  await Promise.all(gone);
  assertEquals(told.size, clients.length);
  for (const client of clients) client.abort();
  await Promise.all(talking);
  listener.close();
});

Deno.test("a client that does not answer holds up a suspension for so long, and not for ever", async () => {
  const { listener, dial } = listen();
  await using server = acceptResumable(listener);
  const ears = { open: Promise.resolve() };
  const client = await connectResumable(async () => {
    const transport = await dial();
    const read = transport.read.bind(transport);
    transport.read = async (into) => {
      const n = await read(into);
      await ears.open; // What comes from now on it does not hear.
      return n;
    };
    return transport;
  });
  const accepted = await server.accept();
  const deaf = Promise.withResolvers<void>();
  ears.open = deaf.promise;
  server.notify({ kind: "draining" });
  await server.suspend();
  assertEquals(accepted.state.name, "suspended");
  client.abort();
  deaf.resolve();
  listener.close();
});

Deno.test("a client that has its session for open finds it at the next process, although the server never heard its proof", async () => {
  const { listener, dial } = listen();
  const first = acceptResumable(listener);
  let transport: Deno.TcpConn;
  const client = await connectResumable(async ({ attempt }) => {
    transport = await dial();
    const write = transport.write.bind(transport);
    let writes = 0;
    transport.write = (bytes) =>
      // Its proof is lost, and all that follows.
      attempt === 0 && ++writes > 1
        ? Promise.resolve(bytes.length)
        : write(bytes);
    return transport;
  });
  await writePattern(client, 1, 0, 1_000);
  const snapshot = await first.suspend();
  assertEquals(first.sessions, 0);
  await using second = acceptResumable(listener, { restore: snapshot });
  assertEquals(second.sessions, 0, "nobody has proven anything yet");
  const accepted = await second.accept();
  await readPattern(accepted, 1, 0, 1_000);
  client.abort();
});

Deno.test("sessions of one key, waiting sessions and memory are bounded (I21)", async () => {
  const { listener, dial } = listen();
  await using server = acceptResumable(listener, {
    presharedKey: () => KEY.key,
    limits: { sessionsPerKeyMax: 2, detachedMax: 1, memoryMaxBytes: 100_000 },
  });
  const transports: Deno.TcpConn[] = [];
  const open = () =>
    connectResumable(async ({ attempt }) => {
      if (attempt > 0) throw new Error("stays away");
      const conn = await dial();
      transports.push(conn);
      return conn;
    }, { presharedKey: KEY });
  const clients = [await open(), await open()];
  const accepted = [await server.accept(), await server.accept()];
  const full = await assertRejects(() => open(), ResumeError);
  assertEquals(full.code, "resume/busy");

  // Memory: one stream takes it all, the other must wait, and goes on after.
  assertEquals(await accepted[0]!.write(new Uint8Array(200_000)), 100_000);
  assertEquals(await accepted[1]!.write(new Uint8Array(10_000)), 4_096);
  let waited = true;
  const second = accepted[1]!.write(new Uint8Array(10)).then(() =>
    waited = false
  );
  await delay(20);
  assert(waited);
  const into = new Uint8Array(100_000);
  for (let n = 0; n < 100_000;) n += (await clients[0]!.read(into))!;
  await second;

  // Of two sessions without a transport the one that waits longer goes.
  const ended = server.once("session-ended");
  transports[0]!.close();
  await accepted[0]!.once("detached");
  transports[1]!.close();
  assertEquals((await ended).sid, clients[0]!.sid);
  assertEquals(server.sessions, 1);
  for (const client of clients) client.abort();
});
