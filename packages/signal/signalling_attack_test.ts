import type { EventOf } from "@holdfast/events";
import { assert, assertEquals } from "@std/assert";
import mqtt from "mqtt";
import { type BrokerProcess, startBroker } from "@holdfast/testkit/broker";
import { fromBase64Url } from "./_bytes.ts";
import { type End, openEnd, untilUp } from "./_testing/pair.ts";
import { dayOf, inboxTopic } from "./_topics.ts";
import { createIdentity, type SignallingEvent } from "./mod.ts";

/** The second byte of a packet. */
type Kind = "hello" | "welcome" | "data" | "ack";
const KINDS: readonly Kind[] = ["hello", "welcome", "data", "ack"];

interface Seen {
  readonly topic: string;
  readonly frame: Uint8Array;
}

/** An attacker on one broker: sees everything there, and says what it likes. */
interface Eve extends AsyncDisposable {
  readonly seen: Seen[];
  /** Resolves with the next packet of a kind, of those not asked for yet. */
  next(kind: Kind): Promise<Seen>;
  publish(topic: string, frame: Uint8Array, retain?: boolean): void;
}

async function attack(broker: BrokerProcess): Promise<Eve> {
  const client = await mqtt.connectAsync(broker.url, { reconnectPeriod: 0 });
  const seen: Seen[] = [];
  const taken = new Set<object>();
  let wake = () => {};
  client.on("message", (topic, payload) => {
    seen.push({ topic, frame: Uint8Array.from(payload) });
    wake();
  });
  await client.subscribeAsync("#");
  return {
    seen,
    async next(kind) {
      while (true) {
        const one = seen.find((each) =>
          KINDS[each.frame[1]! - 1] === kind && !taken.has(each)
        );
        if (one !== undefined) {
          taken.add(one);
          return one;
        }
        await new Promise<void>((resolve) => wake = resolve);
      }
    },
    publish(topic, frame, retain = false) {
      client.publish(topic, Buffer.from(frame), { retain });
    },
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => client.end(true, () => resolve())),
  };
}

/** What is wrong here shows as something that never comes. */
function attackTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, timeout: 20_000, fn });
}

const text = (value: string) => new TextEncoder().encode(value);

/** Waits until the end has rejected something for that reason so many times. */
async function rejected(
  end: End,
  reason: EventOf<SignallingEvent, "message-rejected">["reason"],
  count = 1,
): Promise<void> {
  const found = () =>
    end.events.filter((event) =>
      event.type === "message-rejected" && event.reason === reason
    ).length;
  while (found() < count) await end.signalling.once("message-rejected");
}

/** Ann on one broker and Bob on another, and Eve is the only way between them. */
async function apart() {
  const stack = new AsyncDisposableStack();
  const here = stack.use(await startBroker());
  const there = stack.use(await startBroker());
  const nearAnn = stack.use(await attack(here));
  const nearBob = stack.use(await attack(there));
  const ann = stack.use(await openEnd({ brokers: [here.url] }));
  const bob = stack.use(await openEnd({ brokers: [there.url] }));
  const carry = async (from: Eve, to: Eve, kind: Kind) => {
    const packet = await from.next(kind);
    to.publish(packet.topic, packet.frame);
    return packet;
  };
  return {
    ...{ here, there, nearAnn, nearBob, ann, bob, carry },
    /** Lets the two get to know each other. */
    async introduce(): Promise<void> {
      await carry(nearAnn, nearBob, "hello");
      // What was published there comes back to who did.
      await nearBob.next("hello");
      await carry(nearBob, nearAnn, "welcome");
      await nearAnn.next("welcome");
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

attackTest(
  "a hostile broker can forge and replay nothing, nor suppress by it",
  async () => {
    await using scene = await apart();
    const { ann, bob, nearAnn, nearBob, there, carry } = scene;
    const sending = ann.signalling.send(bob.signalling.id, text("honest"));
    await scene.introduce();
    const { topic, frame: honest } = await nearAnn.next("data");
    // One bit of each part: number, message, tag. All before the honest one,
    // so that marking too early would suppress it.
    const places = [16, 19, 40, honest.length - 1];
    for (const place of places) {
      const forged = honest.slice();
      forged[place]! ^= 1;
      nearBob.publish(topic, forged);
    }
    await rejected(bob, "not-authentic", places.length);
    nearBob.publish(topic, text("garbage"));
    await rejected(bob, "bad-frame");
    nearBob.publish(topic, new Uint8Array(64 * 1024));
    await rejected(bob, "too-large");
    const ofNobody = honest.slice();
    ofNobody[4]! ^= 1;
    nearBob.publish(topic, ofNobody);
    await rejected(bob, "no-session");
    assertEquals(bob.received.size, 0);
    nearBob.publish(topic, honest);
    // Only now Ann hears: by Bob's own acknowledgement, which Eve carries.
    await carry(nearBob, nearAnn, "ack");
    await sending;
    assertEquals([...bob.received], [["honest", 1]]);

    // A replay, a thousand times, by a broker that has all the time it wants.
    for (let i = 0; i < 1000; i++) nearBob.publish(topic, honest);
    while (bob.signalling.stats().duplicatesDropped < 1000) {
      await bob.signalling.once("duplicate-dropped");
    }
    // Reflected: Ann's own frame, to Ann. Redirected: to Carol.
    const day = dayOf(Date.now());
    nearAnn.publish(await inboxTopic(ann.signalling.id, day), honest);
    await rejected(ann, "no-session");
    await using carol = await openEnd({ brokers: [there.url] });
    nearBob.publish(await inboxTopic(carol.signalling.id, day), honest);
    await rejected(carol, "no-session");
    assertEquals([...bob.received], [["honest", 1]]);
    assertEquals([ann.received.size, carol.received.size], [0, 0]);
  },
);

attackTest(
  "a lost acknowledgement costs a repetition of the same bytes, and no more",
  async () => {
    await using scene = await apart();
    const { ann, bob, nearAnn, nearBob, carry } = scene;
    const sending = ann.signalling.send(bob.signalling.id, text("once"));
    await scene.introduce();
    const first = await nearAnn.next("data");
    nearBob.publish(first.topic, first.frame);
    // Bob has acknowledged it by now; Eve keeps that for herself.
    await nearBob.next("data");
    await nearBob.next("ack");
    const second = await nearAnn.next("data");
    // Other bytes under the same number would give the key away.
    assertEquals(second.frame, first.frame);
    nearBob.publish(second.topic, second.frame);
    await carry(nearBob, nearAnn, "ack");
    await sending;
    assertEquals([...bob.received], [["once", 1]]);
  },
);

attackTest(
  "a recipient that restarted takes nothing that was recorded before",
  async () => {
    await using here = await startBroker();
    await using eve = await attack(here);
    const identity = await createIdentity();
    await using ann = await openEnd({ brokers: [here.url] });
    {
      await using bob = await openEnd({ identity, brokers: [here.url] });
      await ann.signalling.send(bob.signalling.id, text("pay 100"));
      assertEquals([...bob.received], [["pay 100", 1]]);
    }
    const recorded = [...eve.seen];
    await using bob = await openEnd({ identity, brokers: [here.url] });
    for (let i = 0; i < 3; i++) {
      for (const { topic, frame } of recorded) eve.publish(topic, frame);
    }
    // The hello is answered, since nobody can tell it from a new one, and what
    // follows is of a session that Bob does not have.
    await rejected(bob, "no-session", 3);
    // Ann finds out by herself that Bob knows her no more.
    await ann.signalling.send(bob.signalling.id, text("hello again"));
    assertEquals([...bob.received], [["hello again", 1]]);
  },
);

attackTest("what a broker retained is not taken", async () => {
  await using scene = await apart();
  const { ann, there, nearAnn, nearBob } = scene;
  const identity = await createIdentity();
  ann.signalling.send(identity.id, text("poison")).catch(() => {});
  const { topic, frame } = await nearAnn.next("hello");
  nearBob.publish(topic, frame, true);
  await nearBob.next("hello");
  await using bob = await openEnd({ identity, brokers: [there.url] });
  await rejected(bob, "retained");
  assertEquals(bob.events.some(({ type }) => type === "session-opened"), false);
});

attackTest(
  "a flood of made-up hellos neither stops nor fills an end, and holds up no other broker",
  async () => {
    await using bad = await startBroker();
    await using good = await startBroker();
    await using eve = await attack(bad);
    const brokers = [bad.url, good.url];
    await using ann = await openEnd({ brokers });
    await using bob = await openEnd({ brokers });
    await Promise.all([untilUp(ann, 2), untilUp(bob, 2)]);
    const toBob = await inboxTopic(bob.signalling.id, dayOf(Date.now()));
    const flood = () => {
      for (let i = 0; i < 1_000; i++) {
        const junk = crypto.getRandomValues(new Uint8Array(154));
        junk.set([2, 1]);
        eve.publish(toBob, junk);
      }
    };
    flood();
    await rejected(bob, "overloaded");
    flood();
    // A first contact, in the middle of it.
    await ann.signalling.send(bob.signalling.id, text("during"));
    assertEquals([...bob.received.keys()], ["during"]);
    // None of it was opened but for the first few of that one broker.
    const costly = bob.events.filter((event) =>
      event.type === "message-rejected" && event.reason !== "overloaded"
    );
    assert(costly.length < 500, `${costly.length}`);
  },
);

attackTest(
  "what brokers see has neither the message nor anybody's id, and one length",
  async () => {
    await using broker = await startBroker();
    await using eve = await attack(broker);
    await using ann = await openEnd({ brokers: [broker.url] });
    await using bob = await openEnd({ brokers: [broker.url] });
    await ann.signalling.send(bob.signalling.id, text("attack at dawn"));
    await ann.signalling.send(bob.signalling.id, text("no".repeat(90)));
    await eve.next("ack");
    const ids = [ann, bob].map(({ signalling }) =>
      fromBase64Url(signalling.id)!
    );
    for (const { topic, frame } of eve.seen) {
      const shown = topic + String.fromCharCode(...frame);
      assert(!shown.includes("dawn"));
      for (const id of ids) {
        assert(!shown.includes(String.fromCharCode(...id.subarray(0, 6))));
      }
    }
    const lengths = eve.seen.filter(({ frame }) => frame[1] === 3)
      .map(({ frame }) => frame.length);
    assertEquals(new Set(lengths), new Set([256]));
    // Once both listen there, the topic says nothing of who is written to.
    const inboxes = await Promise.all(
      [ann, bob].map((end) => inboxTopic(end.signalling.id, dayOf(Date.now()))),
    );
    for (;;) {
      await ann.signalling.send(bob.signalling.id, text("later"));
      const last = eve.seen.findLast(({ frame }) => frame[1] === 3)!;
      if (!inboxes.includes(last.topic)) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  },
);
