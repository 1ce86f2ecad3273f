import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { randomFrom } from "./_testing/random.ts";
import {
  homesOf,
  operatorOf,
  rank,
  rankFor,
  type Standing,
  widthAfter,
} from "./_ranking.ts";

const scored = fc.uniqueArray(
  fc.record({
    broker: fc.tuple(
      fc.constantFrom("one", "two", "three"),
      fc.nat(99),
      fc.constantFrom("example.org", "example.com", "net.example.co.uk"),
    ).map(([name, number, domain]) => `mqtt://${name}${number}.${domain}:1883`),
    score: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  { selector: ({ broker }) => broker, maxLength: 20 },
);

Deno.test("a ranking does not depend on the order of the list, and leaves nobody out", () => {
  fc.assert(fc.property(scored, fc.func(fc.nat()), (list, weight) => {
    const shuffled = [...list].sort((a, b) =>
      weight(a.broker) - weight(b.broker)
    );
    assertEquals(rank(shuffled), rank(list));
    assertEquals(
      rank(list).toSorted(),
      list.map(({ broker }) => broker).toSorted(),
    );
  }));
});

Deno.test("a broker that goes leaves the others in their order, where each has its operator", () => {
  const own = scored.map((list) =>
    list.map((each, i) => ({
      ...each,
      broker: `mqtt://broker${i}.example${i}`,
    }))
  );
  fc.assert(fc.property(own, fc.nat(), (list, pick) => {
    if (list.length === 0) return;
    const gone = list[pick % list.length]!;
    assertEquals(
      rank(list.filter((each) => each !== gone)),
      rank(list).filter((broker) => broker !== gone.broker),
    );
  }));
});

Deno.test("no operator comes again before each has come", () => {
  fc.assert(fc.property(scored, (list) => {
    const operators = rank(list).map(operatorOf);
    const all = new Set(operators);
    assertEquals(new Set(operators.slice(0, all.size)).size, all.size);
  }));
});

Deno.test("operatorOf() takes the registered name, and addresses as they are", () => {
  for (
    const [url, operator] of [
      ["wss://broker.emqx.io:8084/mqtt", "emqx.io"],
      ["mqtt://broker-cn.emqx.io", "emqx.io"],
      ["mqtts://a.b.example.co.uk", "example.co.uk"],
      ["mqtt://127.0.0.1:1883", "127.0.0.1:1883"],
      ["mqtt://[::1]:1883", "[::1]:1883"],
      ["mqtt://localhost:1", "localhost:1"],
    ] as const
  ) assertEquals(operatorOf(url), operator);
});

Deno.test("ids spread evenly, and each has its own order", async () => {
  const brokers = Array.from(
    { length: 12 },
    (_, i) => `mqtt://b${i}.x${i}.org`,
  );
  const first = new Map<string, number>();
  for (let i = 0; i < 1_200; i++) {
    const [best] = await rankFor(`peer ${i}`, brokers);
    first.set(best!, (first.get(best!) ?? 0) + 1);
  }
  assertEquals(first.size, 12);
  // 100 each on average; a fair draw is within 60 to 140 but once in 10 000.
  for (const count of first.values()) assert(count > 55 && count < 150);
  assertNotEquals(
    await rankFor("ann", brokers),
    await rankFor("bob", brokers),
  );
});

Deno.test("homes are the first that are up, and those before that are down", () => {
  const standing = fc.constantFrom<Standing>("up", "trying", "down", "idle");
  fc.assert(fc.property(
    fc.array(standing, { maxLength: 12 }),
    fc.integer({ min: 1, max: 5 }),
    (standings, wanted) => {
      const ranked = standings.map((_, i) => `${i}`);
      const homes = homesOf(ranked, (name) => standings[Number(name)]!, wanted);
      assertEquals(homes, ranked.slice(0, homes.length));
      const good = homes.filter((name) => standings[Number(name)] !== "down");
      assert(good.length <= wanted);
      assert(good.length === wanted || homes.length === ranked.length);
    },
  ));
});

/**
 * Two ends that know only each other's id. Each cannot reach a fifth of twelve
 * brokers. Each says hello to the other, and walks on once a second.
 */
function meets(random: () => number, rounds: number): boolean {
  const all = 12;
  const shuffled = () => {
    const list = Array.from({ length: all }, (_, i) => i);
    for (let i = all - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [list[i], list[j]] = [list[j]!, list[i]!];
    }
    return list;
  };
  const end = () => {
    const reach = Array.from({ length: all }, () => random() >= 0.2);
    const ranked = shuffled();
    const homes = homesOf(
      ranked.map(String),
      (name) => reach[Number(name)] ? "up" : "down",
      3,
    ).map(Number).filter((broker) => reach[broker]);
    return { reach, ranked, homes };
  };
  const [ann, bob] = [end(), end()];
  for (let second = 0; second < rounds; second++) {
    const width = widthAfter(1_000 * second, 3, all);
    for (const [from, to] of [[ann, bob], [bob, ann]] as const) {
      const tried = to.ranked.slice(0, width);
      if (tried.some((at) => from.reach[at] && to.homes.includes(at))) {
        return true;
      }
    }
  }
  return false;
}

Deno.test("of two ends who cannot reach a fifth of the brokers 99.5 % meet in 3 s", () => {
  const random = randomFrom(20_261_126);
  const share = (rounds: number) => {
    let met = 0;
    for (let i = 0; i < 20_000; i++) met += meets(random, rounds) ? 1 : 0;
    return met / 20_000;
  };
  const [atOnce, walking] = [share(1), share(3)];
  assert(walking >= 0.995, `${walking}`);
  // Walking on is what does it.
  assert(atOnce < walking, `${atOnce}`);
});
