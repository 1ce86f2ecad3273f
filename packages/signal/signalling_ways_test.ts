/** What a message may be, and the ways it may go: on real brokers. */
import { Emitter } from "@holdfast/events/emitter";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import {
  type BrokerProcess,
  startBroker,
  startMosquitto,
} from "@holdfast/testkit/broker";
import { openEnd, sendMany, tally, untilUp, urlsOf } from "./_testing/pair.ts";
import { createIdentity, type PresenceEvent } from "./mod.ts";

const text = (value: string) => new TextEncoder().encode(value);

function brokersTest(
  name: string,
  count: number,
  fn: (brokers: readonly BrokerProcess[]) => Promise<void>,
): void {
  Deno.test({
    name,
    timeout: 60_000,
    async fn() {
      await using stack = new AsyncDisposableStack();
      const brokers = await Promise.all(
        Array.from({ length: count }, () => startBroker()),
      );
      for (const broker of brokers) stack.use(broker);
      await fn(brokers);
    },
  });
}

brokersTest(
  "ordered messages come in the order of send(), whatever overtakes them",
  3,
  async (brokers) => {
    await using ann = await openEnd({ brokers: urlsOf(brokers) });
    await using bob = await openEnd({
      ...{ brokers: urlsOf(brokers), receiveMax: 8 },
    }, false);
    await Promise.all([untilUp(ann, 3), untilUp(bob, 3)]);
    const count = 400;
    const sends = Array.from({ length: count }, (_, i) => {
      // Large ones take longer; those in between overtake them.
      const bytes = new Uint8Array(i % 7 === 0 ? 40_000 : 8);
      new DataView(bytes.buffer).setUint32(0, i);
      return ann.signalling.send(bob.signalling.id, bytes, { ordered: true });
    });
    const settled = Promise.all(sends);
    const got: number[] = [];
    const kill = brokers[1]!;
    for await (const { bytes } of bob.signalling.receive()) {
      got.push(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
      if (got.length === 100) await kill.kill();
      if (got.length === count) break;
    }
    await settled;
    assertEquals(got, Array.from({ length: count }, (_, i) => i));
  },
);

brokersTest(
  "an ordered message that is given up holds nobody up",
  1,
  async (brokers) => {
    await using ann = await openEnd({ brokers: urlsOf(brokers) });
    await using bob = await openEnd({ brokers: urlsOf(brokers) });
    const { id } = bob.signalling;
    const send = (what: string, signal?: AbortSignal) =>
      ann.signalling.send(id, text(what), { ordered: true, signal });
    await send("first");
    brokers[0]!.signal("SIGSTOP");
    const abort = new AbortController();
    const second = send("second", abort.signal);
    const third = send("third");
    await ann.signalling.once("sent");
    abort.abort(new Error("never mind"));
    await assertRejects(() => second, Error, "never mind");
    brokers[0]!.signal("SIGCONT");
    await third;
    await send("fourth");
    const got = [...bob.received.keys()];
    // What was on its way already may still come, in its place.
    assertEquals(got.filter((one) => one !== "second"), [
      ...["first", "third", "fourth"],
    ]);
  },
);

brokersTest(
  "a large message goes in pieces through the death of a broker, whole or not at all",
  2,
  async (brokers) => {
    const options = {
      ...{ brokers: urlsOf(brokers), messageBytesMax: 2 * 1024 * 1024 },
    };
    await using ann = await openEnd(options);
    await using bob = await openEnd(options, false);
    await Promise.all([untilUp(ann, 2), untilUp(bob, 2)]);
    const bytes = new Uint8Array(2 * 1024 * 1024);
    for (let at = 0; at < bytes.length; at += 65_536) {
      crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    }
    const sending = ann.signalling.send(bob.signalling.id, bytes);
    await ann.signalling.once("acknowledged");
    await brokers[0]!.kill();
    await sending;
    const { value } = await bob.signalling.receive().next();
    assertEquals(value?.bytes, bytes);
    assertEquals(bob.signalling.stats().delivered, 1);
    // And as a question and its answer.
    using _handling = bob.signalling.handle(({ bytes }) => bytes.toReversed());
    const answer = await ann.signalling.request(bob.signalling.id, bytes);
    assertEquals(answer, bytes.toReversed());
  },
);

brokersTest(
  "presence: online by a sign of life, offline by a goodbye, whatever brokers say",
  2,
  async (brokers) => {
    const identity = await createIdentity();
    await using ann = await openEnd({ brokers: urlsOf(brokers) });
    using presence = ann.signalling.presence(identity.id);
    const told: PresenceEvent[] = [];
    presence.on("*", (event) => told.push(event));
    assertEquals(presence.status, "unknown");
    for (let round = 0; round < 2; round++) {
      const online = presence.once("peer-online");
      await using bob = await openEnd({ identity, brokers: urlsOf(brokers) });
      assertEquals((await online).reason, "answered");
      assertEquals(presence.status, "online");
      // A broker that loses a connection says nothing about the peer.
      if (round === 0) await brokers[0]!.kill();
      const offline = presence.once("peer-offline");
      await ann.signalling.send(bob.signalling.id, text("still here?"));
      await bob.signalling.close();
      assertEquals((await offline).reason, "said-bye");
      assertEquals(presence.status, "offline");
    }
    assertEquals(told.map(({ type }) => type), [
      ...["peer-online", "peer-offline", "peer-online", "peer-offline"],
    ]);
    const types = ann.events.filter(({ type }) => type === "peer-online");
    assertEquals(types.length, 2);
  },
);

brokersTest(
  "in health one copy is enough; with mode always each broker has one",
  3,
  async (brokers) => {
    for (const [mode, perMessage] of [["hedge", 1], ["always", 3]] as const) {
      await using ann = await openEnd({ brokers: urlsOf(brokers), mode });
      await using bob = await openEnd({ brokers: urlsOf(brokers) });
      await Promise.all([untilUp(ann, 3), untilUp(bob, 3)]);
      await ann.signalling.send(bob.signalling.id, text("first contact"));
      const { copies: before } = ann.signalling.stats();
      for (let i = 0; i < 50; i++) {
        await ann.signalling.send(bob.signalling.id, text(`${mode} ${i}`));
      }
      assertEquals(tally(bob, 50, `${mode} `), { lost: 0, duplicated: 0 });
      const copies = (ann.signalling.stats().copies - before) / 50;
      // A slow machine hedges and repeats, but never all of them.
      assert(copies >= perMessage, `${copies}`);
      assert(mode === "always" || copies < 2.5, `${copies}`);
    }
  },
);

brokersTest(
  "news of the network: brokers are asked at once, and those that are down are tried",
  2,
  async (brokers) => {
    using network = new Emitter<{ readonly type: "online" | "noise" }>();
    await using ann = await openEnd({ brokers: urlsOf(brokers), network });
    await untilUp(ann, 2);
    const [frozen, dead] = brokers;
    const isDown = ann.signalling.once("broker-down");
    frozen!.signal("SIGSTOP");
    network.emit({ type: "online" });
    // It is near, so that it is given up before it would be suspected.
    const { broker, reason } = await isDown;
    assertEquals([broker, reason], [frozen!.url, "the broker does not answer"]);
    frozen!.signal("SIGCONT");
    network.emit({ type: "online" });
    await untilUp(ann, 2);
    // After some failures the wait is long; news of the network end it.
    await dead!.kill();
    for (let i = 0; i < 8; i++) {
      await ann.signalling.once("broker-down");
      network.emit({ type: "noise" });
      network.emit({ type: "online" });
    }
    const back = ann.signalling.once("broker-up");
    await dead!.restart();
    network.emit({ type: "online" });
    assertEquals((await back).broker, dead!.url);
  },
);

brokersTest(
  "a silent broker is found out under traffic, and messages go round it",
  2,
  async (brokers) => {
    await using ann = await openEnd({ brokers: urlsOf(brokers) });
    await using bob = await openEnd({ brokers: urlsOf(brokers) });
    await Promise.all([untilUp(ann, 2), untilUp(bob, 2)]);
    await sendMany(ann, bob, 20, { prefix: "before " });
    const suspect = ann.signalling.once("broker-suspect");
    for (const broker of brokers) broker.signal("SIGSTOP");
    const sends = sendMany(ann, bob, 20, { prefix: "during " });
    await suspect;
    brokers[1]!.signal("SIGCONT");
    await sends;
    assertEquals(tally(bob, 20, "during "), { lost: 0, duplicated: 0 });
    brokers[0]!.signal("SIGCONT");
  },
);

brokersTest(
  "when most brokers are lost at once it is this end's network, and that is told",
  3,
  async (brokers) => {
    await using ann = await openEnd({ brokers: urlsOf(brokers) });
    await untilUp(ann, 3);
    const isolated = ann.signalling.once("isolated");
    await Promise.all(brokers.map((broker) => broker.kill()));
    const { brokers: lost, reason } = await isolated;
    assert(lost >= 2);
    assertEquals(reason, "most-brokers-lost");
  },
);

brokersTest(
  "each end is on those brokers that its own id leads to, and goes to the peer's to speak",
  8,
  async (brokers) => {
    const options = { brokers: urlsOf(brokers), redundancy: 2 };
    await using ann = await openEnd(options);
    await using bob = await openEnd(options);
    const on = (end: typeof ann, what: "home" | "up") =>
      end.signalling.state.brokers.filter(({ home, status }) =>
        what === "home" ? home : status === "up"
      ).map(({ url }) => url);
    await Promise.all([untilUp(ann, 2), untilUp(bob, 2)]);
    assertEquals(on(ann, "home").length, 2);
    assertEquals(on(ann, "up").toSorted(), on(ann, "home").toSorted());
    await ann.signalling.send(bob.signalling.id, text("hello"));
    const all = new Set([...on(ann, "home"), ...on(bob, "home")]);
    for (const url of on(ann, "up")) assert(all.has(url), url);
    // Bob needs no broker of Ann's to answer.
    assertEquals(on(bob, "up").toSorted(), on(bob, "home").toSorted());
    // When Bob's die he is on the next of his list, and Ann finds him there.
    const homes = on(bob, "home");
    const gone = brokers.filter(({ url }) => homes.includes(url));
    const up = bob.signalling.once("broker-up");
    await Promise.all(gone.map((broker) => broker.kill()));
    await up;
    await ann.signalling.send(bob.signalling.id, text("again"));
    assertEquals([...bob.received.keys()], ["hello", "again"]);
  },
);

testWith({
  name:
    "mosquitto speaks MQTT 5, the embedded broker 3.1.1: both serve one message",
  needs: ["mosquitto"],
  timeout: 30_000,
  async fn() {
    await using five = await startMosquitto();
    await using three = await startBroker();
    const brokers = [five.url, three.url];
    await using ann = await openEnd({ brokers, mode: "always" });
    await using bob = await openEnd({ brokers });
    await Promise.all([untilUp(ann, 2), untilUp(bob, 2)]);
    await sendMany(ann, bob, 5);
    const versions = ann.signalling.state.brokers.map(({ version }) => version);
    assertEquals(versions, ["5", "3.1.1"]);
  },
});

Deno.test({
  name:
    "two ends that have one broker in common meet there, wherever it stands in their lists",
  timeout: 60_000,
  async fn() {
    await using stack = new AsyncDisposableStack();
    const brokers = await Promise.all([0, 1, 2, 3, 4].map(() => startBroker()));
    for (const broker of brokers) stack.use(broker);
    const [a, b, c, d, common] = urlsOf(brokers);
    const ann = stack.use(
      await openEnd({ brokers: [a!, b!, common!], redundancy: 1 }),
    );
    const bob = stack.use(
      await openEnd({ brokers: [common!, c!, d!], redundancy: 3 }),
    );
    await untilUp(bob, 3);
    await ann.signalling.send(bob.signalling.id, text("found"));
    await bob.signalling.send(ann.signalling.id, text("you"));
    assertEquals([...bob.received.keys()], ["found"]);
    assertEquals([...ann.received.keys()], ["you"]);
  },
});

brokersTest(
  "close() waits for no broker: one is frozen, one was never there, one has much to take",
  3,
  async (brokers) => {
    const [frozen, gone, well] = brokers;
    await gone!.kill();
    await using ann = await openEnd({ brokers: urlsOf(brokers) });
    const { id } = await createIdentity();
    frozen!.signal("SIGSTOP");
    const sends = Array.from(
      { length: 200 },
      () => ann.signalling.send(id, new Uint8Array(10_000)),
    );
    const settled = Promise.allSettled(sends);
    await ann.signalling.once("sent");
    await ann.signalling.close();
    // Everything has ended by then, and says so.
    assert((await settled).every(({ status }) => status === "rejected"));
    assertEquals(ann.signalling.state.unacknowledged, 0);
    frozen!.signal("SIGCONT");
    assert(well!.url.length > 0);
  },
);
