import { testWith } from "@holdfast/testkit";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { classify } from "./classify.ts";
import { dial } from "./dial.ts";
import type {
  AttemptEvent,
  Connector,
  DialTarget,
  DialWithOptions,
} from "./dial_options.ts";
import { RecoveryError } from "./errors.ts";

const hostname = "127.0.0.1";
const CERT = await Deno.readTextFile(
  new URL("./testdata/cert.pem", import.meta.url),
);
const EXPIRED = await Deno.readTextFile(
  new URL("./testdata/expired.pem", import.meta.url),
);
const KEY = await Deno.readTextFile(
  new URL("./testdata/key.pem", import.meta.url),
);

function deadTarget(): DialTarget {
  using listener = Deno.listen({ hostname, port: 0 });
  return { hostname, port: listener.addr.port };
}

/** A connection that counts how often it is closed. */
class Fake {
  closed = 0;
  close(): void {
    this.closed++;
  }
}

/** Settles only by its abort, or never. */
const silent: Connector<DialTarget, Fake> = () => new Promise(() => {});

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("dial connects once somebody listens", async () => {
  const target = deadTarget();
  const events: AttemptEvent[] = [];
  let listener: Deno.TcpListener | undefined;
  using conn = await dial(target, {
    firstMs: 5,
    maxMs: 20,
    onAttempt(event) {
      events.push(event);
      // The third refusal brings the server to life.
      if (event.type === "attempt-failed" && event.number === 2) {
        listener = Deno.listen(target);
      }
    },
  });
  listener?.close();
  assertEquals(conn.remoteAddr.port, target.port);
  assertEquals(events.map(({ type, number }) => `${type} ${number}`), [
    "attempt-started 0",
    "attempt-failed 0",
    "attempt-started 1",
    "attempt-failed 1",
    "attempt-started 2",
    "attempt-failed 2",
    "attempt-started 3",
    "attempt-succeeded 3",
  ]);
  const failed = events[1];
  assert(failed?.type === "attempt-failed");
  assertEquals(failed.target, `${hostname}:${target.port}`);
  assertEquals(failed.verdict.failure, "refused");
  assertEquals(JSON.parse(JSON.stringify(failed)), failed);
});

Deno.test("dial ends at its deadline, with the target and the last error", async () => {
  const target = deadTarget();
  const error = await assertRejects(
    () => dial(target, { deadlineMs: 60, firstMs: 5 }),
    DOMException,
    `${hostname}:${target.port}`,
  );
  assertEquals(error.name, "TimeoutError");
  const { cause } = error as { cause?: unknown };
  assert(cause instanceof Deno.errors.ConnectionRefused);
  assertEquals(classify(error).failure, "refused");
});

Deno.test("a connector that never settles does not hold the deadline", async () => {
  const target = { hostname: "::1", port: 7 };
  const error = await assertRejects(
    () => dial(target, { deadlineMs: 20, connect: silent }),
    DOMException,
    "[::1]:7: no connection in 20 ms",
  );
  assertEquals(error.name, "TimeoutError");
});

Deno.test("an attempt that takes too long is aborted, and another one made", async () => {
  const signals: AbortSignal[] = [];
  const late = new Fake();
  const good = new Fake();
  const release = Promise.withResolvers<Fake>();
  const conn = await dial({ hostname, port: 7 }, {
    attemptMs: 10,
    firstMs: 1,
    connect: (_, { signal }) => {
      signals.push(signal);
      return signals.length === 1 ? release.promise : Promise.resolve(good);
    },
  });
  assertEquals(conn, good);
  assertEquals(good.closed, 0);
  assertEquals(signals.map(({ aborted }) => aborted), [true, false]);
  assertEquals(signals[0]?.reason.name, "TimeoutError");
  // What the first one brings in the end is closed.
  release.resolve(late);
  await turn();
  assertEquals(late.closed, 1);
});

Deno.test("abort in mid-attempt rejects at once with the reason", async () => {
  const controller = new AbortController();
  const reason = new Error("the user left");
  const release = Promise.withResolvers<Fake>();
  const late = new Fake();
  let seen: AbortSignal | undefined;
  const dialling = dial({ hostname, port: 7 }, {
    signal: controller.signal,
    connect: (_, { signal }) => {
      seen = signal;
      return release.promise;
    },
  });
  controller.abort(reason);
  assertEquals(await dialling.catch((error) => error), reason);
  assert(seen?.aborted);
  release.resolve(late);
  await turn();
  assertEquals(late.closed, 1);
});

Deno.test("abort ends the wait between attempts", async () => {
  const controller = new AbortController();
  const dialling = dial(deadTarget(), {
    firstMs: 60_000,
    maxMs: 60_000,
    deadlineMs: 100_000,
    random: () => 0.9,
    signal: controller.signal,
    onAttempt: ({ type }) => type === "attempt-failed" && controller.abort("x"),
  });
  assertEquals(await dialling.catch((error) => error), "x");
});

Deno.test("an aborted signal makes no attempt, and listeners are removed", async () => {
  let attempts = 0;
  const connect = () => {
    attempts++;
    return Promise.resolve(new Fake());
  };
  const signal = AbortSignal.abort("before");
  const before = dial({ hostname, port: 7 }, { connect, signal });
  assertEquals(await before.catch((error) => error), "before");
  assertEquals(attempts, 0);

  let listeners = 0;
  const counting = new AbortController().signal;
  const { addEventListener, removeEventListener } = counting;
  counting.addEventListener = (...args: unknown[]) => {
    listeners++;
    Reflect.apply(addEventListener, counting, args);
  };
  counting.removeEventListener = (...args: unknown[]) => {
    listeners--;
    Reflect.apply(removeEventListener, counting, args);
  };
  await dial({ hostname, port: 7 }, { connect, signal: counting });
  assertEquals(listeners, 0);
});

testWith({
  name: "a real black hole: attempts are aborted and leave nothing behind",
  needs: ["linux"],
  async fn() {
    // When the backlog is full the kernel drops every SYN, as a firewall would.
    using listener = Deno.listen({ hostname, port: 0, tcpBacklog: 1 });
    const target = { hostname, port: listener.addr.port };
    const queued: Deno.TcpConn[] = [];
    while (queued.length < 100) {
      const signal = AbortSignal.timeout(50);
      const conn = await Deno.connect({ ...target, signal }).catch(() => null);
      if (conn === null) break;
      queued.push(conn);
    }
    let started = 0;
    const error = await assertRejects(
      () =>
        dial(target, {
          deadlineMs: 100,
          attemptMs: 20,
          firstMs: 1,
          onAttempt: ({ type }) => type === "attempt-started" && started++,
        }),
      DOMException,
    );
    assertEquals(error.name, "TimeoutError");
    assert(started > 1, `${started}`);
    const reason = new Error("enough");
    const controller = new AbortController();
    const dialling = dial(target, { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 10);
    assertEquals(await dialling.catch((error) => error), reason);
    for (const conn of queued) conn.close();
  },
});

Deno.test("give-up ends at once with a typed error, a retry of one's own decides", async () => {
  let attempts = 0;
  const connect = () => {
    attempts++;
    return Promise.reject(Object.assign(new Error("no"), { code: "ENOENT" }));
  };
  const target = { hostname, port: 7 };
  const error = await assertRejects(
    () => dial(target, { connect }),
    RecoveryError,
    "The path does not exist",
  );
  assertEquals(error.code, "recovery/gave-up");
  assertEquals((error.cause as { code: string }).code, "ENOENT");
  assertEquals(attempts, 1);

  attempts = 0;
  const retry = (_: unknown, { code }: { code: string | undefined }) => {
    assertEquals(code, "ENOENT");
    return attempts < 3;
  };
  await assertRejects(
    () => dial(target, { connect, retry, firstMs: 1 }),
    RecoveryError,
  );
  assertEquals(attempts, 3);

  const mistake = new Error("in retry");
  const thrown = dial(target, {
    connect,
    retry: () => {
      throw mistake;
    },
  });
  assertEquals(await thrown.catch((error) => error), mistake);
});

Deno.test("a connector that throws before it waits counts as failed", async () => {
  let attempts = 0;
  const conn = await dial({ hostname, port: 7 }, {
    firstMs: 1,
    connect: () => {
      if (attempts++ < 2) throw Object.assign(new Error(), { code: "EAGAIN" });
      return Promise.resolve(new Fake());
    },
  });
  assertEquals([attempts, conn.closed], [3, 0]);
});

Deno.test("of two that succeed the loser is closed, the winner is not", async () => {
  const conns = { a: new Fake(), b: new Fake() };
  const gate = Promise.withResolvers<void>();
  const conn = await dial(
    [{ hostname: "a", port: 1 }, { hostname: "b", port: 2 }],
    {
      staggerMs: 0,
      connect: async ({ hostname }) => {
        if (hostname === "a") await gate.promise;
        return conns[hostname as "a" | "b"];
      },
    },
  );
  gate.resolve();
  await turn();
  assertEquals(conn, conns.b);
  assertEquals([conns.a.closed, conns.b.closed], [1, 0]);
});

Deno.test("a refused first target hands over to the second at once", async () => {
  using listener = Deno.listen({ hostname, port: 0 });
  const good = { hostname, port: listener.addr.port };
  const started: string[] = [];
  using conn = await dial([deadTarget(), good], {
    // Waiting for the stagger would pass the deadline.
    staggerMs: 60_000,
    firstMs: 60_000,
    maxMs: 60_000,
    random: () => 0.9,
    deadlineMs: 5_000,
    onAttempt: ({ type, target }) => {
      if (type === "attempt-started") started.push(target);
    },
  });
  assertEquals(conn.remoteAddr.port, good.port);
  assertEquals(started.length, 2);
});

Deno.test("when every target is hopeless, all their errors are told", async () => {
  const connect: Connector<DialTarget, Fake> = ({ hostname }) =>
    Promise.reject(Object.assign(new Error(hostname), { code: "ENOENT" }));
  const targets = [{ hostname: "a", port: 1 }, { hostname: "b", port: 2 }];
  const error = await assertRejects(
    () => dial(targets, { connect }),
    RecoveryError,
    "a:1, b:2",
  );
  const { errors } = error.cause as AggregateError;
  assertEquals(errors.map(({ message }) => message), ["a", "b"]);
});

Deno.test("TLS: the handshake is part of the attempt, and is judged", async () => {
  const serve = async (cert: string, run: (port: number) => Promise<void>) => {
    using listener = Deno.listenTls({ hostname, port: 0, cert, key: KEY });
    const accepting = (async () => {
      using conn = await listener.accept();
      await conn.handshake().catch(() => {});
    })();
    await run(listener.addr.port);
    await accepting;
  };
  const gaveUp = async (port: number, caCerts: string[]) => {
    const error = await assertRejects(
      () => dial({ hostname, port }, { tls: { caCerts } }),
      RecoveryError,
    );
    return classify(error).failure;
  };
  await serve(CERT, async (port) => {
    using conn = await dial({ hostname, port }, { tls: { caCerts: [CERT] } });
    assertEquals((await conn.handshake()).alpnProtocol, null);
  });
  await serve(CERT, async (port) => {
    assertEquals(await gaveUp(port, []), "tls-intercept");
  });
  await serve(EXPIRED, async (port) => {
    assertEquals(await gaveUp(port, [EXPIRED]), "tls-clock");
  });
});

Deno.test("TLS: a peer that is silent after TCP is left at the deadline", async () => {
  using listener = Deno.listen({ hostname, port: 0 });
  const accepting = listener.accept();
  const error = await assertRejects(
    () =>
      dial({ hostname, port: listener.addr.port }, {
        tls: true,
        deadlineMs: 60,
      }),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
  // Deno 2.9.6 keeps the socket of a handshake that was closed until the peer
  // ends it, so the end of the client's side cannot be asserted here.
  (await accepting).close();
});

Deno.test("bad arguments fail by name and value", async () => {
  const target = { hostname, port: 7 };
  const connect = silent;
  for (
    const [bad, options, message] of [
      [[], {}, "no target"],
      [{ hostname: "", port: 7 }, {}, "hostname"],
      [{ hostname: "[::1]", port: 7 }, { connect: undefined }, "brackets"],
      [{ hostname: "1.2.3.4%lo", port: 7 }, { connect: undefined }, "no name"],
      [target, { connect: undefined, resolve: { families: [] } }, "families"],
      [{ hostname, port: 0 }, {}, "current value is 0"],
      [{ hostname, port: 1.5 }, {}, "current value is 1.5"],
      [target, { deadlineMs: Infinity }, "deadlineMs"],
      [target, { attemptMs: 0 }, "attemptMs"],
      [target, { staggerMs: -1 }, "staggerMs"],
      [target, { firstMs: NaN }, "firstMs"],
    ] as const
  ) {
    const error = await assertRejects(
      () =>
        dial(
          bad as DialTarget,
          { connect, ...options } as DialWithOptions<DialTarget, Fake>,
        ),
      Error,
      message,
    );
    assert(error instanceof TypeError || error instanceof RangeError);
  }
});
