/**
 * Two of three brokers are hostile, each in its own way, and the third does
 * what it should: nothing is forged, replayed or lost, and memory is bounded.
 */
import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { type BrokerProcess, startBroker } from "@holdfast/testkit/broker";
import { randomFrom } from "./_testing/random.ts";
import {
  HostileBroker,
  type HostileOptions,
  type Malice,
} from "./_testing/hostile_broker.ts";
import {
  type End,
  openEnd,
  sendMany,
  tally,
  untilUp,
} from "./_testing/pair.ts";

const text = (value: string) => new TextEncoder().encode(value);
const random = randomFrom(5);

function flipped(payload: Uint8Array): Uint8Array {
  const forged = payload.slice();
  forged[Math.floor(random() * forged.length)]! ^= 1 <<
    Math.floor(random() * 8);
  return forged;
}

/** What each does with what is published. */
const MALICES: Readonly<Record<string, Malice>> = {
  "drops half": (packet, deliver) => {
    if (random() < 0.5) deliver(packet);
  },
  "drops all": () => {},
  "delivers a thousand times": (packet, deliver) => deliver(packet, 1_000),
  "reorders": (packet, deliver, later) =>
    later(() => deliver(packet), random() * 200),
  "flips a bit before the honest copy": (packet, deliver) => {
    deliver({ ...packet, payload: flipped(packet.payload) });
    deliver(packet);
  },
  "flips a bit, and keeps the honest copy": (packet, deliver) =>
    deliver({ ...packet, payload: flipped(packet.payload) }),
  "cuts the end off": (packet, deliver) =>
    deliver({ ...packet, payload: packet.payload.subarray(0, -1) }),
  "makes things up": (packet, deliver) => {
    const junk = crypto.getRandomValues(new Uint8Array(300));
    junk.set(packet.payload.subarray(0, 18));
    deliver({ ...packet, payload: junk });
  },
  "marks as retained": (packet, deliver) =>
    deliver({ ...packet, retain: true }),
};

async function scene(
  options: readonly HostileOptions[],
  fn: (
    scene: {
      readonly ann: End;
      readonly bob: End;
      readonly hostile: readonly HostileBroker[];
      readonly honest: BrokerProcess;
    },
  ) => Promise<void>,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const hostile = options.map((one) => stack.use(new HostileBroker(one)));
  const honest = stack.use(await startBroker());
  const brokers = [...hostile.map(({ url }) => url), honest.url];
  const ann = stack.use(await openEnd({ brokers }));
  const bob = stack.use(await openEnd({ brokers }));
  await Promise.all([ann, bob].map((end) => untilUp(end, brokers.length)));
  await fn({ ann, bob, hostile, honest });
}

for (const [name, malice] of Object.entries(MALICES)) {
  Deno.test({
    name: `two of three brokers: each ${name}`,
    timeout: 60_000,
    fn: () =>
      scene([{ malice }, { malice }], async ({ ann, bob }) => {
        const count = name.includes("thousand") ? 20 : 60;
        await Promise.all([
          sendMany(ann, bob, count),
          sendMany(bob, ann, count),
        ]);
        for (const end of [ann, bob]) {
          assertEquals(tally(end, count), { lost: 0, duplicated: 0 });
          assertEquals(end.received.size, count);
        }
      }),
  });
}

Deno.test({
  name:
    "brokers that record everything and replay it, to the right and the wrong topics",
  timeout: 60_000,
  fn: () =>
    scene([{}, {}], async ({ ann, bob, hostile }) => {
      await Promise.all([sendMany(ann, bob, 40), sendMany(bob, ann, 40)]);
      for (const broker of hostile) {
        for (const packet of [...broker.recorded]) {
          for (const topic of broker.topics()) {
            broker.deliver({ ...packet, topic });
          }
        }
      }
      await Promise.all([
        sendMany(ann, bob, 20, { prefix: "after " }),
        sendMany(bob, ann, 20, { prefix: "after " }),
      ]);
      for (const end of [ann, bob]) {
        assertEquals(tally(end, 40), { lost: 0, duplicated: 0 });
        assertEquals(tally(end, 20, "after "), { lost: 0, duplicated: 0 });
        assertEquals(end.received.size, 60);
      }
    }),
});

Deno.test({
  name:
    "a broker that lies as it takes the connection, and poisons each subscription",
  timeout: 60_000,
  fn: () => {
    const poison = (topic: string) =>
      [true, false].map((retain) => ({
        ...{
          topic,
          retain,
          payload: crypto.getRandomValues(new Uint8Array(99)),
        },
      }));
    // A day of keepalive, and room for nothing.
    const connack = { serverKeepAlive: 65_535, maximumPacketSize: 70 };
    return scene([{ connack, poison }], async ({ ann, bob, hostile }) => {
      await sendMany(ann, bob, 20);
      assertEquals(tally(bob, 20), { lost: 0, duplicated: 0 });
      // It said what it takes, and was taken at its word.
      assertEquals(hostile[0]!.recorded, []);
      const { brokers } = ann.signalling.state;
      assertEquals(brokers[0]!.frameBytesMax, 6);
      const reasons = new Set(
        bob.events.map((event) =>
          event.type === "message-rejected" && event.reason
        ),
      );
      assert(reasons.has("retained") && reasons.has("bad-frame"));
    });
  },
});

Deno.test({
  name: "a packet that a broker does not stand is not sent there for ever",
  timeout: 60_000,
  fn: () =>
    scene([{ hangsUpAbove: 2_000 }], async ({ ann, bob, hostile }) => {
      const large = new Uint8Array(40_000).fill(7);
      for (let i = 0; i < 6; i++) {
        await ann.signalling.send(bob.signalling.id, large);
      }
      // Each of the two ends connected once, and hardly again.
      assert(hostile[0]!.connections <= 8, `${hostile[0]!.connections}`);
      await untilUp(ann, 2);
      await sendMany(ann, bob, 10);
      assertEquals(tally(bob, 10), { lost: 0, duplicated: 0 });
    }),
});

Deno.test({
  name: "a broker that stood still after a large packet still gets large ones",
  timeout: 60_000,
  async fn() {
    await using broker = new HostileBroker({ mutesAbove: 1_024 });
    await using ann = await openEnd({ brokers: [broker.url] });
    await using bob = await openEnd({ brokers: [broker.url] });
    await Promise.all([untilUp(ann, 1), untilUp(bob, 1)]);
    const large = new Uint8Array(6_000).fill(7);
    while (broker.mutes < 2) {
      await ann.signalling.send(bob.signalling.id, large);
    }
    broker.recorded.length = 0;
    await ann.signalling.send(bob.signalling.id, large);
    assert(broker.recorded.some(({ payload }) => payload.length > 1_024));
  },
});

Deno.test({
  name: "under a flood, with a dead broker, memory is bounded",
  timeout: 120_000,
  async fn() {
    // In a process of its own, whose garbage can be collected before it is
    // measured: what is left is what is kept.
    const driver = new URL("testdata/flood_driver.ts", import.meta.url);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--no-check", "--v8-flags=--expose-gc"],
        ...["--ignore-env", "--allow-net=127.0.0.1", fileURLToPath(driver)],
      ],
      env: { NO_COLOR: "1" },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals(code, 0, text(stderr));
    const { grownMiB, lost, duplicated, flooded } = JSON.parse(text(stdout));
    assertEquals({ lost, duplicated }, { lost: 0, duplicated: 0 });
    assert(flooded >= 12_000);
    assert(grownMiB <= 32, `${grownMiB} MiB`);
  },
});

Deno.test("bytes of any kind are an error that is told, and nothing else", () =>
  scene([{}], async ({ ann, bob, hostile: [broker] }) => {
    await ann.signalling.send(bob.signalling.id, text("before"));
    const topics = broker!.topics();
    for (let i = 0; i < 2_000; i++) {
      const payload = crypto.getRandomValues(
        new Uint8Array(Math.floor(random() * 400)),
      );
      broker!.deliver({ topic: topics[i % topics.length]!, payload });
    }
    while (bob.signalling.stats().rejected < 100) {
      await bob.signalling.once("message-rejected");
    }
    await ann.signalling.send(bob.signalling.id, text("after"));
    assertEquals([...bob.received.keys()], ["before", "after"]);
  }));
