import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { openOutbox, step } from "./_outbox.ts";
import type { OutboxAction, OutboxInput, SendMode } from "./_outbox_types.ts";
import { randomFrom } from "./_testing/random.ts";
import { ReplayWindow } from "./_window.ts";

const SPREAD = 512;
const NEVER = Number.MAX_SAFE_INTEGER;

/** A network of brokers in virtual time, at its worst within the numbers. */
interface Network {
  readonly brokers: number;
  readonly loss: number;
  readonly duplication: number;
  readonly delayMs: number;
  /** When each broker is away, by its number. */
  readonly outages: readonly { from: number; to: number }[];
  /** Loses all copies of the first message for so long. */
  readonly firstLostMs: number;
}

interface Result {
  readonly delivered: Map<number, number>;
  readonly acknowledged: Set<number>;
  readonly left: number;
  readonly endedAt: number;
  readonly copies: number;
}

/**
 * Sends `count` messages, one every `everyMs`, from an outbox to a window, with
 * acknowledgements by the same network, until the outbox is empty.
 */
function simulate(
  network: Network,
  count: number,
  everyMs: number,
  random: () => number,
  { mode = "hedge", spreadMax = SPREAD }: {
    readonly mode?: SendMode;
    readonly spreadMax?: number;
  } = {},
): Result {
  const outbox = openOutbox({
    spreadMax,
    delayMs: (attempt) => Math.min(4000, 200 + random() * 200 * 2 ** attempt),
  });
  const window = new ReplayWindow();
  const delivered = new Map<number, number>();
  const acknowledged = new Set<number>();
  // A calendar: what happens at which millisecond, in order.
  const calendar = new Map<number, (() => void)[]>();
  let now = 0;
  const at = (time: number, what: () => void): void => {
    const slot = Math.max(now + 1, Math.ceil(time));
    calendar.set(slot, [...(calendar.get(slot) ?? []), what]);
  };
  const isUp = (broker: number): boolean => {
    const outage = network.outages[broker];
    return outage === undefined || now < outage.from || now >= outage.to;
  };
  const carry = (broker: number, arrive: () => void): void => {
    if (!isUp(broker) || random() < network.loss) return;
    const copies = random() < network.duplication ? 3 : 1;
    for (let i = 0; i < copies; i++) {
      at(now + 1 + random() * network.delayMs, arrive);
    }
  };
  const all = Array.from({ length: network.brokers }, (_, index) => index);
  const receive = (sequence: number, by: number): void => {
    const verdict = window.check(sequence);
    if (verdict === "stale") return;
    if (verdict === "new") {
      window.mark(sequence);
      delivered.set(sequence, (delivered.get(sequence) ?? 0) + 1);
    }
    // The whole window, by the broker that carried the message.
    const bytes = window.toBytes();
    carry(by, () => {
      const acknowledged = ReplayWindow.fromBytes(bytes);
      const has = (one: number) => acknowledged.check(one) === "seen";
      input({ type: "ack", lane, has });
    });
  };
  // The next broker that has not had it, as the shell chooses.
  const used = new Map<number, Set<number>>();
  let copies = 0;
  const perform = (action: OutboxAction): void => {
    if (action.type === "settle") {
      assertEquals(action.outcome, "acknowledged");
      assert(!acknowledged.has(action.sequence), "settled twice");
      acknowledged.add(action.sequence);
      return;
    }
    const { sequence, to } = action;
    if (sequence === 1 && now < network.firstLostMs) return;
    const had = used.get(sequence) ?? new Set();
    used.set(sequence, had);
    const next = all.filter((one) => isUp(one) && !had.has(one));
    const ways = to === "all"
      ? all
      : to === "one"
      ? next.slice(0, 1)
      : [Number(to.broker)];
    for (const one of ways) {
      had.add(one);
      copies++;
      carry(one, () => receive(sequence, one));
    }
    if (had.size === all.length) had.clear();
  };
  let wakeAt = Infinity;
  const input = (what: OutboxInput): void => {
    const result = step(outbox, what, now);
    wakeAt = result.wakeAt;
    result.actions.forEach(perform);
  };
  const lane = "lane";
  for (let sequence = 1; sequence <= count; sequence++) {
    at(
      sequence * everyMs,
      () =>
        input({
          ...{ type: "send", lane, sequence, deadline: NEVER, mode },
          ...{ hedgeMs: 40, ways: network.brokers },
        }),
    );
  }
  network.outages.forEach(({ to }, broker) =>
    at(
      to,
      () =>
        input({ type: "broker-up", broker: String(broker), uses: () => true }),
    )
  );
  const end = 600_000;
  while (now < end && (calendar.size > 0 || outbox.size > 0)) {
    now++;
    for (const what of calendar.get(now) ?? []) what();
    calendar.delete(now);
    if (wakeAt <= now) input({ type: "tick" });
    assert(!(wakeAt <= now), "asks to be woken in the past");
  }
  return { delivered, acknowledged, left: outbox.size, endedAt: now, copies };
}

const outage = fc.record({
  from: fc.integer({ min: 0, max: 3000 }),
  to: fc.integer({ min: 0, max: 9000 }),
});
const network: fc.Arbitrary<Network> = fc.record({
  brokers: fc.constantFrom(1, 2, 3),
  loss: fc.constantFrom(0, 0.05, 0.3, 0.6),
  duplication: fc.constantFrom(0, 0.1, 0.5),
  delayMs: fc.constantFrom(1, 30, 400, 2000),
  outages: fc.array(outage, { maxLength: 3 }),
  firstLostMs: fc.constantFrom(0, 0, 900, 5000),
}).map((one) => ({ ...one, outages: one.outages.slice(0, one.brokers) }));

Deno.test("every message is delivered once, whatever the network does", () => {
  fc.assert(
    fc.property(
      network,
      fc.integer({ min: 1, max: 400 }),
      fc.constantFrom(0, 1, 20),
      fc.integer(),
      fc.constantFrom<SendMode>("hedge", "always", "single"),
      (net, count, everyMs, seed, mode) => {
        const result = simulate(net, count, everyMs, randomFrom(seed), {
          mode,
        });
        assertEquals(result.left, 0);
        assertEquals(result.acknowledged.size, count);
        assertEquals(result.delivered.size, count);
        for (const times of result.delivered.values()) assertEquals(times, 1);
      },
    ),
    { numRuns: 100 },
  );
});

const SLOW_FIRST: Network = {
  brokers: 3,
  loss: 0.05,
  duplication: 0.1,
  delayMs: 20,
  outages: [],
  firstLostMs: 8000,
};

Deno.test("one message that is lost for long does not fall out of the window", () => {
  const { delivered } = simulate(SLOW_FIRST, 3000, 1, randomFrom(1));
  assertEquals(delivered.size, 3000);
  assertEquals(Math.max(...delivered.values()), 1);
});

Deno.test("without the limit on the spread that very message is lost", () => {
  const wide = simulate(SLOW_FIRST, 3000, 1, randomFrom(1), {
    spreadMax: 1e6,
  });
  assertEquals(wide.delivered.has(1), false);
});

Deno.test("what is out of time is settled once and makes room", () => {
  const outbox = openOutbox({ spreadMax: 2, delayMs: () => 100 });
  const lane = "lane";
  const kinds = (actions: readonly OutboxAction[]) =>
    actions.map((action) =>
      action.type === "settle"
        ? `${action.outcome} ${action.sequence}`
        : `${action.reason} ${action.sequence}`
    );
  const send = (sequence: number, deadline: number) =>
    kinds(
      step(outbox, {
        ...{ type: "send", lane, sequence, deadline },
        ...{ mode: "always", hedgeMs: 10, ways: 2 },
      }, 0).actions,
    );
  assertEquals(send(1, 50), ["new 1"]);
  assertEquals(send(2, 500), ["new 2"]);
  assertEquals(send(3, 500), []);
  const late = step(outbox, { type: "tick" }, 50);
  assertEquals(kinds(late.actions), ["expired 1", "new 3"]);
  assertEquals(late.wakeAt, 100);
  const again = step(outbox, { type: "tick" }, 100);
  assertEquals(kinds(again.actions), ["retransmit 2"]);
  const cancel = step(outbox, { type: "cancel", lane, sequence: 2 }, 100);
  assertEquals(kinds(cancel.actions), ["cancelled 2"]);
  const ack = { type: "ack", lane, has: () => true } as const;
  assertEquals(kinds(step(outbox, ack, 100).actions), ["acknowledged 3"]);
  assertEquals(outbox.size, 0);
  assertEquals(step(outbox, { type: "tick" }, 1000).wakeAt, Infinity);
});

Deno.test("a broker that is back gets what is pending, and nobody else", () => {
  const outbox = openOutbox({ spreadMax: 1, delayMs: () => 100 });
  const rest = {
    type: "send",
    deadline: 1e6,
    mode: "hedge",
    hedgeMs: 5,
    ways: 3,
  } as const;
  for (const sequence of [1, 2]) {
    step(outbox, { ...rest, lane: "a", sequence }, 0);
  }
  step(outbox, { ...rest, lane: "b", sequence: 1 }, 0);
  const up = { type: "broker-up", broker: "x" } as const;
  const { actions } = step(outbox, { ...up, uses: () => true }, 10);
  const none = step(outbox, { ...up, uses: () => false }, 10);
  assertEquals(none.actions, []);
  assertEquals(
    actions,
    ["a", "b"].map((lane) => ({
      type: "publish",
      lane,
      sequence: 1,
      reason: "broker-up",
      to: { broker: "x" },
    })),
  );
});

Deno.test("hedging takes one broker after the other, then all again and again", () => {
  const outbox = openOutbox({ spreadMax: 9, delayMs: (n) => 100 * (n + 1) });
  const said: string[] = [];
  const take = (input: OutboxInput, now: number) => {
    const { actions, wakeAt } = step(outbox, input, now);
    for (const action of actions) {
      said.push(
        action.type === "publish"
          ? `${now}: ${action.reason} to ${action.to}`
          : `${now}: ${action.outcome}`,
      );
    }
    return wakeAt;
  };
  let wakeAt = take({
    ...{ type: "send", lane: "a", sequence: 1, deadline: 500 },
    ...{ mode: "hedge", hedgeMs: 20, ways: 3 },
  }, 0);
  while (wakeAt < Infinity) wakeAt = take({ type: "tick" }, wakeAt);
  assertEquals(said, [
    "0: new to one",
    "20: hedge to one",
    "40: hedge to one",
    "140: retransmit to all",
    "340: retransmit to all",
    "500: expired",
  ]);
});

Deno.test("in health a hedged message costs one copy, and one that is always sent all", () => {
  const healthy: Network = {
    ...{ brokers: 3, loss: 0, duplication: 0, delayMs: 5, outages: [] },
    firstLostMs: 0,
  };
  const copies = (mode: SendMode) =>
    simulate(healthy, 300, 1, randomFrom(7), { mode }).copies;
  assertEquals([copies("hedge"), copies("single"), copies("always")], [
    ...[300, 300, 900],
  ]);
});

Deno.test("what has just left by one broker does not go to another that comes up", () => {
  const outbox = openOutbox({ spreadMax: 9, delayMs: () => 100 });
  step(outbox, {
    ...{ type: "send", lane: "a", sequence: 1, deadline: 1e6 },
    ...{ mode: "hedge", hedgeMs: 50, ways: 3 },
  }, 0);
  const up = (now: number) =>
    step(outbox, { type: "broker-up", broker: "x", uses: () => true }, now)
      .actions.length;
  assertEquals([up(10), up(60)], [0, 1]);
});
