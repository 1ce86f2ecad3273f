import { type Part, testWith } from "@holdfast/testkit";
import { assertEquals } from "@std/assert";
import {
  type BrokerProcess,
  startBroker,
  startMosquitto,
} from "@holdfast/testkit/broker";
import type { SignallingEvent } from "./mod.ts";
import { openEnd, sendMany, tally, untilUp, urlsOf } from "./_testing/pair.ts";

const NOTHING_WRONG = { lost: 0, duplicated: 0 };

interface Kind {
  readonly name: string;
  readonly needs: readonly Part[];
  readonly start: () => Promise<BrokerProcess>;
}

// The same suite over two independent brokers.
const KINDS: readonly Kind[] = [
  { name: "aedes", needs: [], start: startBroker },
  { name: "mosquitto", needs: ["mosquitto"], start: () => startMosquitto() },
];

async function startThree(
  kind: Kind,
  stack: AsyncDisposableStack,
): Promise<[BrokerProcess, BrokerProcess, BrokerProcess]> {
  const [a, b, c] = await Promise.all([
    kind.start(),
    kind.start(),
    kind.start(),
  ]);
  for (const broker of [a, b, c]) stack.use(broker);
  return [a, b, c];
}

for (const kind of KINDS) {
  testWith({
    name:
      `${kind.name}: kill -9 one broker, then a second: nothing lost or doubled`,
    needs: kind.needs,
    timeout: 30_000,
    async fn() {
      await using stack = new AsyncDisposableStack();
      const brokers = await startThree(kind, stack);
      const ann = stack.use(await openEnd({ brokers: urlsOf(brokers) }));
      const bob = stack.use(await openEnd({ brokers: urlsOf(brokers) }));
      await Promise.all([untilUp(ann, 3), untilUp(bob, 3)]);
      const kills: Promise<void>[] = [];
      const count = 300;
      await Promise.all([
        sendMany(ann, bob, count, {
          onSent(sent) {
            if (sent === 100) kills.push(brokers[0].kill());
            if (sent === 200) kills.push(brokers[2].kill());
          },
        }),
        sendMany(bob, ann, count),
      ]);
      await Promise.all(kills);
      assertEquals(kills.length, 2);
      assertEquals(tally(bob, count), NOTHING_WRONG);
      assertEquals(tally(ann, count), NOTHING_WRONG);
      // Copies did come, and were dropped: one broker alone would not do this.
      assertEquals(ann.signalling.stats().duplicatesDropped > 0, true);
    },
  });

  testWith({
    name: `${kind.name}: a burst of the largest messages arrives whole`,
    needs: kind.needs,
    timeout: 30_000,
    async fn() {
      await using stack = new AsyncDisposableStack();
      const brokers = urlsOf(await startThree(kind, stack));
      const ann = stack.use(await openEnd({ brokers }));
      const bob = stack.use(await openEnd({ brokers }));
      const texts = Array.from(
        { length: 300 },
        (_, index) => String(index).padEnd(16_384, "."),
      );
      const encoder = new TextEncoder();
      await Promise.all(
        texts.map((each) =>
          ann.signalling.send(bob.signalling.id, encoder.encode(each))
        ),
      );
      assertEquals([...bob.received.keys()].toSorted(), texts.toSorted());
      assertEquals(Math.max(...bob.received.values()), 1);
      // No broker took offence at the speed.
      assertEquals(
        ann.events.some(({ type }) => type === "broker-down"),
        false,
      );
    },
  });

  testWith({
    name:
      `${kind.name}: a frozen broker holds nobody up, and its late copies are dropped`,
    needs: kind.needs,
    timeout: 30_000,
    async fn() {
      await using stack = new AsyncDisposableStack();
      const brokers = await startThree(kind, stack);
      // So that the frozen one has something to hold back.
      const ann = stack.use(
        await openEnd({ brokers: urlsOf(brokers), mode: "always" }),
      );
      const bob = stack.use(await openEnd({ brokers: urlsOf(brokers) }));
      await Promise.all([untilUp(ann, 3), untilUp(bob, 3)]);
      brokers[1].signal("SIGSTOP");
      await sendMany(ann, bob, 200);
      assertEquals(tally(bob, 200), NOTHING_WRONG);
      const before = bob.signalling.stats();
      const isLate = (event: SignallingEvent) =>
        event.type === "duplicate-dropped" && event.broker === brokers[1].url;
      assertEquals(bob.events.some(isLate), false);
      brokers[1].signal("SIGCONT");
      while (!bob.events.some(isLate)) {
        await bob.signalling.once("duplicate-dropped");
      }
      // All that it had held: a message more, to have something to wait for.
      await sendMany(ann, bob, 1, { prefix: "last" });
      await brokers[1].kill();
      assertEquals(tally(bob, 200), NOTHING_WRONG);
      assertEquals(tally(bob, 1, "last"), NOTHING_WRONG);
      assertEquals(bob.signalling.stats().delivered, before.delivered + 1);
    },
  });

  testWith({
    name: `${kind.name}: a broker that returns carries on alone`,
    needs: kind.needs,
    timeout: 30_000,
    async fn() {
      await using stack = new AsyncDisposableStack();
      const brokers = await startThree(kind, stack);
      const ann = stack.use(await openEnd({ brokers: urlsOf(brokers) }));
      const bob = stack.use(await openEnd({ brokers: urlsOf(brokers) }));
      await Promise.all([untilUp(ann, 3), untilUp(bob, 3)]);
      const ends = [ann, bob];
      const down = ends.map((end) => end.signalling.once("broker-down"));
      await brokers[0].kill();
      await Promise.all(down);
      await sendMany(ann, bob, 20, { prefix: "two left " });
      const up = ends.map((end) => end.signalling.once("broker-up"));
      await brokers[0].restart();
      for (const event of await Promise.all(up)) {
        assertEquals(event, {
          type: "broker-up",
          broker: brokers[0].url,
          reason: "reconnected",
        });
      }
      await Promise.all([brokers[1].kill(), brokers[2].kill()]);
      await Promise.all([
        sendMany(ann, bob, 20, { prefix: "alone " }),
        sendMany(bob, ann, 20, { prefix: "alone " }),
      ]);
      assertEquals(tally(bob, 20, "two left "), NOTHING_WRONG);
      assertEquals(tally(bob, 20, "alone "), NOTHING_WRONG);
      assertEquals(tally(ann, 20, "alone "), NOTHING_WRONG);
    },
  });

  testWith({
    name: `${kind.name}: what is sent while every broker is dead arrives after`,
    needs: kind.needs,
    timeout: 30_000,
    async fn() {
      await using stack = new AsyncDisposableStack();
      const brokers = await startThree(kind, stack);
      const ann = stack.use(await openEnd({ brokers: urlsOf(brokers) }));
      const bob = stack.use(await openEnd({ brokers: urlsOf(brokers) }));
      await Promise.all([untilUp(ann, 3), untilUp(bob, 3)]);
      await sendMany(ann, bob, 20, { prefix: "before " });
      await Promise.all(brokers.map((broker) => broker.kill()));
      const sends = [
        sendMany(ann, bob, 100, { prefix: "during " }),
        sendMany(bob, ann, 100, { prefix: "during " }),
      ];
      while (ann.signalling.state.unacknowledged < 100) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      assertEquals(bob.received.has("during 0"), false);
      await brokers[2].restart();
      await brokers[0].restart();
      await Promise.all(sends);
      assertEquals(tally(bob, 20, "before "), NOTHING_WRONG);
      assertEquals(tally(bob, 100, "during "), NOTHING_WRONG);
      assertEquals(tally(ann, 100, "during "), NOTHING_WRONG);
    },
  });
}

testWith({
  name: "mosquitto: by websockets and by TCP at once",
  needs: ["mosquitto"],
  timeout: 30_000,
  async fn() {
    await using web = await startMosquitto({ websockets: true });
    await using tcp = await startMosquitto();
    const brokers = [web.url, tcp.url];
    await using ann = await openEnd({ brokers });
    await using bob = await openEnd({ brokers: brokers.slice(0, 1) });
    await Promise.all([untilUp(ann, 2), untilUp(bob, 1)]);
    await sendMany(ann, bob, 20);
    assertEquals(tally(bob, 20), NOTHING_WRONG);
  },
});
