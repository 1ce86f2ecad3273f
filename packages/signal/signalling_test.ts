import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type BrokerProcess, startBroker } from "@holdfast/testkit/broker";
import { openEnd, untilUp } from "./_testing/pair.ts";
import {
  createIdentity,
  openSignalling,
  SignalError,
  type SignalErrorCode,
} from "./mod.ts";

const text = (value: string) => new TextEncoder().encode(value);

async function rejectsWith(
  code: SignalErrorCode,
  work: () => Promise<unknown>,
): Promise<SignalError> {
  const error = await assertRejects(work, SignalError);
  assertEquals(error.code, code);
  return error;
}

function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  // It gives no more than that at once.
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}

/** A port on which nothing listens. */
function deadUrl(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return `mqtt://127.0.0.1:${listener.addr.port}`;
}

/** One broker for a test, and the ends are opened on it. */
function withBroker(
  name: string,
  fn: (broker: BrokerProcess) => Promise<void>,
): void {
  Deno.test({
    name,
    timeout: 20_000,
    async fn() {
      await using broker = await startBroker();
      await fn(broker);
    },
  });
}

withBroker(
  "send() resolves when the peer has it, and events say so",
  async (broker) => {
    await using ann = await openEnd({ brokers: [broker.url] });
    await using bob = await openEnd({ brokers: [broker.url] });
    const { id } = bob.signalling;
    await ann.signalling.send(id, text("hello"));
    assertEquals([...bob.received], [["hello", 1]]);
    assertEquals(
      ann.events.map((event) =>
        event.type === "sent"
          ? `sent by ${event.brokers}: ${event.reason}`
          : event.type
      ),
      [
        "sent by 0: new",
        "session-opened",
        "sent by 1: session",
        "acknowledged",
      ],
    );
    assertEquals(bob.events, [
      { type: "session-opened", peer: ann.signalling.id, reason: "hello" },
      {
        type: "delivered",
        from: ann.signalling.id,
        sequence: 1,
        broker: broker.url,
        content: "message",
      },
    ]);
    // Plain data: nothing is lost in JSON.
    const events = [...ann.events, ...bob.events];
    assertEquals(JSON.parse(JSON.stringify(events)), events);
    const { brokers, ...rest } = ann.signalling.state;
    const { rttMs, ...state } = brokers[0]!;
    assert(rttMs! > 0);
    assertEquals({ state, rest }, {
      state: {
        ...{ url: broker.url, status: "up", home: true, version: "3.1.1" },
      },
      rest: { unacknowledged: 0, unacknowledgedBytes: 0, unread: 0 },
    });
  },
);

withBroker(
  "messages of every size arrive as they were, also equal ones",
  async (broker) => {
    await using ann = await openEnd({ brokers: [broker.url] });
    await using bob = await openEnd({ brokers: [broker.url] }, false);
    const reader = bob.signalling.receive();
    const { id } = bob.signalling;
    for (const length of [0, 1, 255, 15_900, 16_384, 262_144]) {
      const bytes = randomBytes(length);
      const sent = bytes.slice();
      const sending = ann.signalling.send(id, bytes);
      bytes.fill(0); // It was copied: the caller may use its buffer again.
      await sending;
      assertEquals((await reader.next()).value, {
        from: ann.signalling.id,
        bytes: sent,
      });
    }
    await Promise.all([1, 2].map(() => ann.signalling.send(id, text("same"))));
    assertEquals(bob.signalling.state.unread, 2);
  },
);

withBroker(
  "request() gives the handler's answer; the handler runs once an id",
  async (broker) => {
    await using ann = await openEnd({ brokers: [broker.url] });
    await using bob = await openEnd({ brokers: [broker.url] });
    const { id } = bob.signalling;
    const ask = (requestId?: string) =>
      ann.signalling.request(id, text("q"), { requestId });
    await rejectsWith("signal/no-handler", () => ask());
    let runs = 0;
    const handling = bob.signalling.handle(async ({ from, bytes }) => {
      assertEquals(from, ann.signalling.id);
      // So that a repetition also meets one that is still running.
      await new Promise((resolve) => setTimeout(resolve, 20));
      return text(`${new TextDecoder().decode(bytes)}${++runs}`);
    });
    assertThrows(() => bob.signalling.handle(() => text("")), TypeError);
    assertEquals(await ask("order-1"), text("q1"));
    assertEquals(await ask("order-1"), text("q1"));
    assertEquals(await ask("order-2"), text("q2"));
    assertEquals(await ask(), text("q3"));
    const both = ask("order-3");
    await assertRejects(() => ask("order-3"), TypeError);
    assertEquals(await both, text("q4"));
    assertEquals(runs, 4);
    handling[Symbol.dispose]();
    await rejectsWith("signal/no-handler", () => ask());
  },
);

withBroker(
  "a handler that fails is told at both ends, its error only at its own",
  async (broker) => {
    await using ann = await openEnd({ brokers: [broker.url] });
    await using bob = await openEnd({ brokers: [broker.url] });
    let answer: () => Uint8Array = () => {
      throw new Error("the password is wrong");
    };
    using _handling = bob.signalling.handle(() => answer());
    const ask = () => ann.signalling.request(bob.signalling.id, text("q"));
    const error = await rejectsWith("signal/handler-failed", ask);
    assert(!error.message.includes("password"));
    answer = () => new Uint8Array(262_145);
    await rejectsWith("signal/handler-failed", ask);
    answer = () => "text" as unknown as Uint8Array;
    await rejectsWith("signal/handler-failed", ask);
    const reasons = bob.events.flatMap((event) =>
      event.type === "handler-failed" ? [event.reason] : []
    );
    assertEquals(reasons[0], "the password is wrong");
    assertEquals(reasons.length, 3);
  },
);

withBroker(
  "past 64 running requests the next ones wait at their senders",
  async (broker) => {
    await using ann = await openEnd({ brokers: [broker.url] });
    await using bob = await openEnd({ brokers: [broker.url] });
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let most = 0;
    let running = 0;
    using _handling = bob.signalling.handle(async ({ bytes }) => {
      most = Math.max(most, ++running);
      await gate;
      running--;
      return bytes;
    });
    const full = bob.signalling.once("message-rejected");
    const asking = Array.from(
      { length: 80 },
      (_, index) =>
        ann.signalling.request(bob.signalling.id, Uint8Array.of(index)),
    );
    assertEquals((await full).reason, "buffer-full");
    open();
    const answers = await Promise.all(asking);
    assertEquals(answers.map(([byte]) => byte), [...Array(80).keys()]);
    assertEquals(most, 64);
  },
);

withBroker(
  "request() rejects when there is no answer in time",
  async (broker) => {
    await using ann = await openEnd({ brokers: [broker.url] });
    await using bob = await openEnd({ brokers: [broker.url] });
    using _handling = bob.signalling.handle(({ signal }) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason))
      )
    );
    // Bob is known to be there first: on a slow machine the first contact
    // alone could take the whole time, and the error would rightly say so.
    await ann.signalling.send(bob.signalling.id, text("there?"));
    await rejectsWith(
      "signal/unanswered",
      () =>
        ann.signalling.request(bob.signalling.id, text("q"), {
          timeoutMs: 4_000,
        }),
    );
  },
);

withBroker(
  "a full buffer acknowledges nothing and loses nothing",
  async (broker) => {
    await using ann = await openEnd({ brokers: [broker.url] });
    await using bob = await openEnd(
      { brokers: [broker.url], receiveMax: 2 },
      false,
    );
    const full = bob.signalling.once("message-rejected");
    const sends = ["a", "b", "c", "d"].map((each) =>
      ann.signalling.send(bob.signalling.id, text(each))
    );
    await Promise.any(sends);
    assertEquals((await full).reason, "buffer-full");
    assertEquals(bob.signalling.state.unread, 2);
    assert(ann.signalling.state.unacknowledged >= 2);
    const got: string[] = [];
    for await (const { bytes } of bob.signalling.receive()) {
      got.push(new TextDecoder().decode(bytes));
      if (got.length === 4) break;
    }
    await Promise.all(sends);
    assertEquals(got.toSorted(), ["a", "b", "c", "d"]);
  },
);

withBroker(
  "receive() ends by its signal; readers share what comes",
  async (broker) => {
    await using ann = await openEnd({ brokers: [broker.url] });
    await using bob = await openEnd({ brokers: [broker.url] }, false);
    const abort = new AbortController();
    const { signal } = abort;
    const first = bob.signalling.receive({ signal });
    const second = bob.signalling.receive();
    const waiting = first.next();
    abort.abort();
    assertEquals((await waiting).done, true);
    assertEquals((await first.next()).done, true);
    assertEquals((await bob.signalling.receive({ signal }).next()).done, true);
    await ann.signalling.send(bob.signalling.id, text("for the second"));
    assertEquals((await second.next()).value?.bytes, text("for the second"));
  },
);

withBroker(
  "send() gives up on an absent peer, and says why",
  async (broker) => {
    const { id } = await createIdentity();
    await using ann = await openEnd({ brokers: [broker.url], outboxMax: 2 });
    const send = (options?: { timeoutMs?: number; signal?: AbortSignal }) =>
      ann.signalling.send(id, text("anyone?"), options);
    const error = await rejectsWith(
      "signal/unacknowledged",
      () => send({ timeoutMs: 2_000 }),
    );
    assertEquals((error.cause as DOMException).name, "TimeoutError");
    // It was repeated in the meantime.
    const { copies, hellos } = ann.signalling.stats();
    assert(hellos >= 2 && copies === 0, `${hellos}, ${copies}`);

    const abort = new AbortController();
    const cancelled = send({ signal: abort.signal });
    const reason = new Error("changed my mind");
    abort.abort(reason);
    assertEquals(await assertRejects(() => cancelled), reason);
    assertEquals(
      await assertRejects(() => send({ signal: abort.signal })),
      reason,
    );
    assertEquals(ann.signalling.state.unacknowledged, 0);

    const pending = [1, 2].map(() => rejectsWith("signal/closed", send));
    await rejectsWith("signal/outbox-full", send);
    await ann.signalling.close();
    await Promise.all(pending);
    const reasons = ann.events.flatMap((event) =>
      event.type === "undelivered" ? [event.reason] : []
    );
    assertEquals(reasons, ["unacknowledged", "cancelled", "closed", "closed"]);
  },
);

withBroker("without a broker send() says so", async (broker) => {
  const { id } = await createIdentity();
  await using ann = await openEnd({ brokers: [broker.url] });
  const down = ann.signalling.once("broker-down");
  await broker.kill();
  const { reason, retryInMs } = await down;
  assert(reason.length > 0 && retryInMs >= 0);
  await rejectsWith(
    "signal/no-broker",
    () => ann.signalling.send(id, text("hello?"), { timeoutMs: 100 }),
  );
});

withBroker(
  "close() ends everything, once, and what was read stays readable",
  async (broker) => {
    await using ann = await openEnd({ brokers: [broker.url] });
    await using bob = await openEnd({ brokers: [broker.url] }, false);
    await ann.signalling.send(bob.signalling.id, text("kept"));
    const closed = bob.signalling.once("closed");
    await Promise.all([bob.signalling.close(), bob.signalling.close()]);
    assertEquals(await closed, { type: "closed", reason: "close" });
    const { state } = bob.signalling;
    assertEquals(state.brokers.map(({ status }) => status), ["closed"]);
    const reader = bob.signalling.receive();
    assertEquals((await reader.next()).value?.bytes, text("kept"));
    assertEquals((await reader.next()).done, true);
    await rejectsWith(
      "signal/closed",
      () => bob.signalling.send(ann.signalling.id, text("x")),
    );
    await rejectsWith(
      "signal/closed",
      () => bob.signalling.request(ann.signalling.id, text("x")),
    );
  },
);

withBroker(
  "the signal of openSignalling() closes it at once",
  async (broker) => {
    const abort = new AbortController();
    const { signal } = abort;
    await using ann = await openEnd({ brokers: [broker.url], signal });
    const closed = ann.signalling.once("closed");
    abort.abort();
    assertEquals((await closed).reason, "aborted");
    await assertRejects(
      () => openEnd({ brokers: [broker.url], signal }),
      DOMException,
    );
  },
);

withBroker(
  "one broker of several is enough to start, and passwords stay hidden",
  async (broker) => {
    const dead = deadUrl();
    const withPassword = dead.replace("//", "//ann:hunter2@");
    await using ann = await openEnd({ brokers: [withPassword, broker.url] });
    await untilUp(ann, 1);
    while (ann.signalling.state.brokers[0]!.status !== "down") {
      await ann.signalling.once("broker-down");
    }
    const shown = JSON.stringify([ann.signalling.state, ann.events]);
    assert(!shown.includes("hunter2") && shown.includes(dead));
    ann.signalling.retry();
  },
);

Deno.test("openSignalling() says which broker failed and why", async () => {
  const identity = await createIdentity();
  const url = deadUrl();
  const brokers = [url.replace("//", "//ann:hunter2@")];
  const error = await rejectsWith(
    "signal/no-broker",
    () => openSignalling({ identity, brokers, readyTimeoutMs: 200 }),
  );
  assert(error.message.includes(url) && !error.message.includes("hunter2"));
  const abort = new AbortController();
  const { signal } = abort;
  const opening = openSignalling({ identity, brokers, signal });
  setTimeout(() => abort.abort(new Error("enough")), 50);
  assertEquals((await assertRejects(() => opening, Error)).message, "enough");
});

Deno.test("bad arguments are told in one sentence", async () => {
  const identity = await createIdentity();
  const good = { identity, brokers: ["mqtt://127.0.0.1"] };
  const cases: [Partial<Parameters<typeof openSignalling>[0]>, string][] = [
    [{ brokers: [] }, "brokers is empty"],
    [{ brokers: ["mqtt://127.0.0.1", "nonsense"] }, "brokers[1] is no URL"],
    [{ brokers: ["http://127.0.0.1"] }, 'brokers[0] is of "http:"'],
    [{ brokers: ["ws://127.0.0.1/?clientId=me"] }, "has a clientId"],
    [{ brokers: ["ws://127.0.0.1/#x"] }, "has a fragment"],
    [{ identity: { id: identity.id } }, "it holds no key"],
    [{ messageBytesMax: 0 }, "messageBytesMax must be"],
    [{ outboxMax: 1.5 }, "outboxMax must be"],
    [{ outboxBytesMax: 0 }, "outboxBytesMax must be"],
    [{ redundancy: 17 }, "redundancy must be"],
    [{ mode: "often" as "always" }, 'mode "often" is none'],
    [{ receiveMax: NaN }, "receiveMax must be"],
    [{ readyTimeoutMs: -1 }, "readyTimeoutMs must be"],
  ];
  for (const [options, part] of cases) {
    const error = await assertRejects(
      () => openSignalling({ ...good, ...options }),
      Error,
    );
    assert(error.message.includes(part), error.message);
    assert(/^Cannot .*[^.]$/.test(error.message), error.message);
  }
});

withBroker("send() and request() refuse bad arguments", async (broker) => {
  await using ann = await openEnd({ brokers: [broker.url] });
  const { id } = await createIdentity();
  const { signalling } = ann;
  const bytes = text("x");
  await assertRejects(() => signalling.send("bob", bytes), TypeError);
  await assertRejects(() => signalling.send(signalling.id, bytes), TypeError);
  await assertRejects(
    () => signalling.send(id, "x" as unknown as Uint8Array),
    TypeError,
  );
  const error = await assertRejects(
    () => signalling.send(id, new Uint8Array(262_145)),
    RangeError,
  );
  assert(error.message.includes("262145 bytes of at most 262144"));
  await assertRejects(
    () => signalling.send(id, bytes, { timeoutMs: 0 }),
    RangeError,
  );
  for (const requestId of ["", "x".repeat(65), "é".repeat(33)]) {
    await assertRejects(
      () => signalling.request(id, bytes, { requestId }),
      RangeError,
    );
  }
  assertEquals(signalling.stats().sent, 0);
});
