/**
 * A fleet: three servers behind a real balancer, with their sessions in a real
 * Redis, while servers are killed, frozen and replaced, and Redis is killed.
 * Each client's numbers are added once, and in order, wherever it is served.
 */
import { runs, testWith } from "@holdfast/testkit";
import { assert, assertEquals } from "@std/assert";
import { RedisServer } from "@holdfast/testkit/redis";
import { Adder, Talk } from "./_adders.ts";
import { type Balancer, startBalancer } from "./_balancer.ts";

const SERVERS = 3;
const CLIENTS = 6;

interface Fleet extends AsyncDisposable {
  readonly redis: RedisServer;
  readonly adders: readonly Adder[];
  readonly talks: readonly Talk[];
}

async function startFleet(kind: Balancer): Promise<Fleet> {
  const stack = new AsyncDisposableStack();
  const redis = stack.use(await RedisServer.start());
  const adders = Array.from({ length: SERVERS }, () => new Adder(redis.url));
  for (const adder of adders) {
    await adder.start();
    stack.defer(() => adder.end().catch(() => {}));
  }
  const balancer = stack.use(
    await startBalancer(kind, adders.map(({ port }) => port)),
  );
  const talks: Talk[] = [];
  for (let i = 0; i < CLIENTS; i++) {
    const talk = await Talk.start(() => balancer.port);
    stack.defer(() => talk.abort());
    talks.push(talk);
  }
  return {
    ...{ redis, adders, talks },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const everyone = (talks: readonly Talk[]) =>
  Promise.all(talks.map((talk) => talk.progress(200)));

const resumed = (talks: readonly Talk[]) =>
  talks.reduce((n, { conn }) => n + conn.stats().resumed, 0);

/** What befalls a fleet; all clients get on before it is over. */
const BLOWS: Readonly<
  Record<string, (fleet: Fleet, adder: Adder) => Promise<void>>
> = {
  async kill({ talks }, adder) {
    await adder.end();
    await everyone(talks);
    await adder.start();
  },
  // It thaws when its sessions are at others, and speaks as if they were not.
  async freeze({ talks }, adder) {
    adder.signal("SIGSTOP");
    await everyone(talks);
    adder.signal("SIGCONT");
    await everyone(talks);
  },
  async replace({ talks }, adder) {
    await adder.end("SIGTERM");
    await everyone(talks);
    await adder.start();
  },
  async redis({ redis, talks }) {
    await redis.kill();
    await redis.restart();
    await everyone(talks);
  },
  async "redis frozen"({ redis, talks }) {
    redis.freeze();
    // Longer than a call may take: they fail, and are made again.
    await new Promise((resolve) => setTimeout(resolve, 700));
    redis.thaw();
    await everyone(talks);
  },
};

for (const kind of ["nginx", "haproxy"] as const) {
  testWith({
    name:
      `a fleet behind ${kind} loses nothing and does nothing twice while its servers and its Redis are killed and frozen`,
    needs: ["unix", "redis-server", kind],
    async fn() {
      await using fleet = await startFleet(kind);
      const { adders, talks } = fleet;
      await everyone(talks);
      // Each blow at each server once, in a random order.
      const plan = Object.keys(BLOWS).flatMap((name) =>
        adders.slice(0, runs(1, SERVERS)).map((_, i) => [name, i] as const)
      ).sort(() => Math.random() - 0.5);
      for (const [name, i] of plan) {
        const which = (i + Math.floor(Math.random() * SERVERS)) % SERVERS;
        await BLOWS[name]!(fleet, adders[which]!);
      }
      assert(resumed(talks) > 0, "nobody had to resume");
      for (const talk of talks) await talk.finish();
    },
  });
}

testWith({
  name:
    "a rolling restart of a whole fleet ends no session, and every client hears of it before",
  needs: ["unix", "redis-server", "haproxy"],
  async fn() {
    await using fleet = await startFleet("haproxy");
    const { adders, talks } = fleet;
    await everyone(talks);
    const told = new Set<Talk>();
    for (const talk of talks) {
      talk.conn.on("peer-draining", () => void told.add(talk));
    }
    for (const adder of adders) await BLOWS.replace!(fleet, adder);
    // Whichever server it was at: each was replaced.
    assertEquals(told.size, talks.length);
    for (const talk of talks) await talk.finish();
  },
});
