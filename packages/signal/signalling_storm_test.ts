/**
 * Real brokers that are killed, frozen and started again at random, at a
 * thousand messages a second: nothing is lost, and nothing comes twice.
 */
import { runs, soaking, testWith } from "@holdfast/testkit";
import { type BrokerProcess, startMosquitto } from "@holdfast/testkit/broker";
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { randomFrom } from "./_testing/random.ts";
import { type End, openEnd, untilUp, urlsOf } from "./_testing/pair.ts";

const PER_SECOND = 1_000;

/** Sends by the clock until told to stop; gives what was sent. */
async function sendUntil(
  from: End,
  to: End,
  until: Promise<unknown>,
): Promise<number> {
  let over = false;
  until.finally(() => over = true);
  const sends: Promise<void>[] = [];
  const start = performance.now();
  while (!over) {
    const due = (performance.now() - start) / 1_000 * PER_SECOND;
    for (; sends.length < due;) {
      const bytes = new TextEncoder().encode(`${sends.length}`);
      const options = { timeoutMs: 120_000 };
      sends.push(from.signalling.send(to.signalling.id, bytes, options));
    }
    await delay(2);
    // What a test of minutes does not look at need not be kept.
    from.events.length = to.events.length = 0;
  }
  await Promise.all(sends);
  return sends.length;
}

function check(end: End, sent: number): void {
  let [lost, doubled] = [0, 0];
  for (let i = 0; i < sent; i++) {
    const times = end.received.get(`${i}`) ?? 0;
    if (times === 0) lost++;
    if (times > 1) doubled++;
  }
  assertEquals({ lost, doubled }, { lost: 0, doubled: 0 });
  assert(sent > 0);
}

async function withFive(
  fn: (
    brokers: readonly BrokerProcess[],
    ann: End,
    bob: End,
  ) => Promise<number>,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const brokers = await Promise.all(
    Array.from({ length: 5 }, () => startMosquitto()),
  );
  for (const broker of brokers) stack.use(broker);
  const options = {
    ...{ brokers: urlsOf(brokers), redundancy: 5 },
    ...{ outboxMax: 1_000_000, outboxBytesMax: 256 * 1024 * 1024 },
    receiveMax: 1_000_000,
  };
  const ann = stack.use(await openEnd(options));
  const bob = stack.use(await openEnd(options));
  await Promise.all([untilUp(ann, 5), untilUp(bob, 5)]);
  check(bob, await fn(brokers, ann, bob));
}

/** Kills, freezes, thaws and restarts, but one of them is always well. */
async function storm(
  brokers: readonly BrokerProcess[],
  random: () => number,
  seconds: number,
): Promise<void> {
  const harmed = new Map<BrokerProcess, "killed" | "frozen">();
  const end = performance.now() + 1_000 * seconds;
  while (performance.now() < end) {
    const broker = brokers[Math.floor(random() * brokers.length)]!;
    const how = harmed.get(broker);
    if (how === "killed") await broker.restart();
    if (how === "frozen") broker.signal("SIGCONT");
    if (how !== undefined) {
      harmed.delete(broker);
      // It is well only once both ends are back on it.
      await delay(800);
    } else if (harmed.size < brokers.length - 1) {
      const kills = random() < 0.5;
      harmed.set(broker, kills ? "killed" : "frozen");
      if (kills) await broker.kill();
      else broker.signal("SIGSTOP");
    }
    await delay(200 * random());
  }
  for (const [broker, how] of harmed) {
    if (how === "killed") await broker.restart();
    else broker.signal("SIGCONT");
  }
}

testWith({
  name: "a storm over four of five brokers: nothing lost, nothing twice",
  needs: ["mosquitto"],
  timeout: 240_000,
  async fn(t) {
    const given = Number(Deno.env.get("HOLDFAST_SEED"));
    const seed = given > 0 ? given : Math.floor(Math.random() * 2 ** 31) + 1;
    const again = `HOLDFAST_SEED=${seed} deno task test packages/signal`;
    await t.step(
      again,
      () =>
        withFive((brokers, ann, bob) =>
          sendUntil(ann, bob, storm(brokers, randomFrom(seed), runs(5, 60)))
        ),
    );
  },
});

testWith({
  name: "all brokers killed for a while, and back: nothing lost, nothing twice",
  needs: ["mosquitto"],
  timeout: 240_000,
  fn: () =>
    withFive((brokers, ann, bob) =>
      sendUntil(
        ann,
        bob,
        (async () => {
          await delay(500);
          await Promise.all(brokers.map((broker) => broker.kill()));
          await delay(soaking() ? 10_000 : 1_500);
          await Promise.all(brokers.map((broker) => broker.restart()));
          await delay(1_000);
        })(),
      )
    ),
});
