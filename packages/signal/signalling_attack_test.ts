import type { EventOf } from "@holdfast/events";
import { assert, assertEquals } from "@std/assert";
import mqtt from "mqtt";
import { type BrokerProcess, startBroker } from "@holdfast/testkit/broker";
import { type End, openEnd, untilUp } from "./_testing/pair.ts";
import { inboxTopic } from "./_seal.ts";
import { createIdentity, type SignallingEvent } from "./mod.ts";

/** An attacker on one broker: sees everything there, and says what it likes. */
interface Eve extends AsyncDisposable {
  readonly seen: { readonly topic: string; readonly frame: Uint8Array }[];
  /** Resolves with the next frame for the topic, of those not asked for yet. */
  next(topic: string): Promise<Uint8Array>;
  publish(topic: string, frame: Uint8Array, retain?: boolean): void;
}

async function attack(broker: BrokerProcess): Promise<Eve> {
  const client = await mqtt.connectAsync(broker.url, { reconnectPeriod: 0 });
  const seen: { topic: string; frame: Uint8Array }[] = [];
  const taken = new Set<object>();
  let wake = () => {};
  client.on("message", (topic, payload) => {
    seen.push({ topic, frame: Uint8Array.from(payload) });
    wake();
  });
  await client.subscribeAsync("#");
  return {
    seen,
    async next(topic) {
      while (true) {
        const one = seen.find((each) =>
          each.topic === topic && !taken.has(each)
        );
        if (one !== undefined) {
          taken.add(one);
          return one.frame;
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

// Ann is on one broker and Bob on another, and Eve is the only way between
// them: she chooses what arrives, how often, and in which order.
attackTest(
  "a hostile broker can forge and replay nothing, nor suppress by it",
  async () => {
    await using here = await startBroker();
    await using there = await startBroker();
    await using nearAnn = await attack(here);
    await using nearBob = await attack(there);
    await using ann = await openEnd({ brokers: [here.url] });
    await using bob = await openEnd({ brokers: [there.url] });
    const toAnn = await inboxTopic(ann.signalling.id);
    const toBob = await inboxTopic(bob.signalling.id);

    const sending = ann.signalling.send(bob.signalling.id, text("honest"));
    const honest = await nearAnn.next(toBob);
    // One bit of each part: sender, epoch, number, message, tag. All before the
    // honest one, so that marking too early would suppress it.
    const places = [3, 35, 49, 51, honest.length - 1];
    for (const place of places) {
      const forged = honest.slice();
      forged[place]! ^= 1;
      nearBob.publish(toBob, forged);
    }
    nearBob.publish(toBob, text("garbage"));
    nearBob.publish(toBob, new Uint8Array(64 * 1024));
    nearBob.publish(toBob, honest);
    // Only now Ann hears: by Bob's own acknowledgement, which Eve carries.
    nearAnn.publish(toAnn, await nearBob.next(toAnn));
    await sending;
    await rejected(bob, "too-large");
    assertEquals(bob.signalling.stats().rejected, places.length + 2);
    assertEquals([...bob.received], [["honest", 1]]);

    // A replay, a thousand times, by a broker that has all the time it wants.
    for (let i = 0; i < 1000; i++) nearBob.publish(toBob, honest);
    while (bob.signalling.stats().duplicatesDropped < 1000) {
      await bob.signalling.once("duplicate-dropped");
    }
    // Reflected: Ann's own frame, to Ann.
    nearAnn.publish(toAnn, honest);
    await rejected(ann, "not-authentic");
    // Redirected: Ann's frame for Bob, to Carol.
    await using carol = await openEnd({ brokers: [there.url] });
    nearBob.publish(await inboxTopic(carol.signalling.id), honest);
    await rejected(carol, "not-authentic");
    assertEquals([...bob.received], [["honest", 1]]);
    assertEquals([ann.received.size, carol.received.size], [0, 0]);
  },
);

attackTest(
  "a lost acknowledgement costs a repetition of the same bytes, and no more",
  async () => {
    await using here = await startBroker();
    await using there = await startBroker();
    await using nearAnn = await attack(here);
    await using nearBob = await attack(there);
    await using ann = await openEnd({ brokers: [here.url] });
    await using bob = await openEnd({ brokers: [there.url] });
    const toAnn = await inboxTopic(ann.signalling.id);
    const toBob = await inboxTopic(bob.signalling.id);
    const sending = ann.signalling.send(bob.signalling.id, text("once"));
    const first = await nearAnn.next(toBob);
    nearBob.publish(toBob, first);
    // Bob has acknowledged it by now; Eve keeps that for herself.
    await nearBob.next(toBob);
    await nearBob.next(toAnn);
    const second = await nearAnn.next(toBob);
    // Other bytes under the same number would give the key away.
    assertEquals(second, first);
    nearBob.publish(toBob, second);
    nearAnn.publish(toAnn, await nearBob.next(toAnn));
    await sending;
    assertEquals([...bob.received], [["once", 1]]);
  },
);

attackTest("what a broker retained is not taken", async () => {
  await using here = await startBroker();
  await using there = await startBroker();
  await using nearAnn = await attack(here);
  await using nearBob = await attack(there);
  await using ann = await openEnd({ brokers: [here.url] });
  const identity = await createIdentity();
  const toBob = await inboxTopic(identity.id);
  ann.signalling.send(identity.id, text("poison")).catch(() => {});
  nearBob.publish(toBob, await nearAnn.next(toBob), true);
  await nearBob.next(toBob);
  await using bob = await openEnd({ identity, brokers: [there.url] });
  await rejected(bob, "retained");
  assertEquals(bob.received.size, 0);
});

attackTest(
  "a flood of made-up senders neither stops nor fills an end",
  async () => {
    await using broker = await startBroker();
    await using eve = await attack(broker);
    await using ann = await openEnd({ brokers: [broker.url] });
    await using bob = await openEnd({ brokers: [broker.url] });
    await untilUp(ann, 1);
    const toBob = await inboxTopic(bob.signalling.id);
    await ann.signalling.send(bob.signalling.id, text("before"));
    const frame = await eve.next(toBob);
    for (let i = 0; i < 2000; i++) {
      const junk = frame.slice();
      crypto.getRandomValues(junk.subarray(2, 34));
      eve.publish(toBob, junk);
    }
    await rejected(bob, "overloaded");
    await ann.signalling.send(bob.signalling.id, text("during"));
    assertEquals([...bob.received.keys()], ["before", "during"]);
    // None of it was opened for want of a key agreement, but for the first few.
    const costly = bob.events.filter((event) =>
      event.type === "message-rejected" && event.reason !== "overloaded"
    );
    assert(costly.length < 500, `${costly.length}`);
  },
);

attackTest(
  "what brokers see has neither the message nor the peer id of the recipient",
  async () => {
    await using broker = await startBroker();
    await using eve = await attack(broker);
    await using ann = await openEnd({ brokers: [broker.url] });
    await using bob = await openEnd({ brokers: [broker.url] });
    await ann.signalling.send(bob.signalling.id, text("attack at dawn"));
    await eve.next(await inboxTopic(ann.signalling.id));
    assertEquals(eve.seen.length, 2);
    for (const { topic, frame } of eve.seen) {
      const shown = topic + String.fromCharCode(...frame);
      assert(!shown.includes("dawn"));
      assert(!topic.includes(bob.signalling.id.slice(0, 8)));
    }
  },
);
