import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  openOutbox,
  type OutboxAction,
  type OutboxInput,
  step,
} from "./_outbox.ts";
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
  spreadMax = SPREAD,
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
  const receive = (sequence: number): void => {
    const verdict = window.check(sequence);
    if (verdict === "stale") return;
    if (verdict === "new") {
      window.mark(sequence);
      delivered.set(sequence, (delivered.get(sequence) ?? 0) + 1);
    }
    for (const broker of all) {
      carry(broker, () => input({ type: "ack", lane, sequences: [sequence] }));
    }
  };
  const perform = (action: OutboxAction): void => {
    if (action.type === "settle") {
      assertEquals(action.outcome, "acknowledged");
      assert(!acknowledged.has(action.sequence), "settled twice");
      acknowledged.add(action.sequence);
      return;
    }
    const { sequence, broker } = action;
    if (sequence === 1 && now < network.firstLostMs) return;
    for (const one of broker === undefined ? all : [Number(broker)]) {
      carry(one, () => receive(sequence));
    }
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
      () => input({ type: "send", lane, sequence, deadline: NEVER }),
    );
  }
  network.outages.forEach(({ to }, broker) =>
    at(to, () => input({ type: "broker-up", broker: String(broker) }))
  );
  const end = 600_000;
  while (now < end && (calendar.size > 0 || outbox.size > 0)) {
    now++;
    for (const what of calendar.get(now) ?? []) what();
    calendar.delete(now);
    if (wakeAt <= now) input({ type: "tick" });
    assert(!(wakeAt <= now), "asks to be woken in the past");
  }
  return { delivered, acknowledged, left: outbox.size, endedAt: now };
}

/** Deterministic from a seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
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
      (net, count, everyMs, seed) => {
        const result = simulate(net, count, everyMs, randomFrom(seed));
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
  const wide = simulate(SLOW_FIRST, 3000, 1, randomFrom(1), 1e6);
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
      step(outbox, { type: "send", lane, sequence, deadline }, 0).actions,
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
  const ack = { type: "ack", lane, sequences: [1, 2, 3, 3, 99] } as const;
  assertEquals(kinds(step(outbox, ack, 100).actions), ["acknowledged 3"]);
  assertEquals(outbox.size, 0);
  assertEquals(step(outbox, { type: "tick" }, 1000).wakeAt, Infinity);
});

Deno.test("a broker that is back gets what is pending, and nobody else", () => {
  const outbox = openOutbox({ spreadMax: 1, delayMs: () => 100 });
  for (const sequence of [1, 2]) {
    step(outbox, { type: "send", lane: "a", sequence, deadline: 1e6 }, 0);
  }
  step(outbox, { type: "send", lane: "b", sequence: 1, deadline: 1e6 }, 0);
  const { actions } = step(outbox, { type: "broker-up", broker: "x" }, 10);
  assertEquals(
    actions,
    ["a", "b"].map((lane) => ({
      type: "publish",
      lane,
      sequence: 1,
      broker: "x",
      reason: "broker-up",
    })),
  );
});
