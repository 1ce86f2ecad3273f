/**
 * Many peers, many brokers, and partitions that come and go, in virtual time:
 * the pure parts as the shell puts them together. Every message is delivered
 * once, and acknowledged once, whatever the network does meanwhile.
 */
import { runs } from "@holdfast/testkit";
import { assert, assertEquals } from "@std/assert";
import { openOutbox, type OutboxState, step } from "./_outbox.ts";
import type { OutboxAction, OutboxInput } from "./_outbox_types.ts";
import { homesOf, rank, widthAfter } from "./_ranking.ts";
import { choose, RouteHealth } from "./_route_health.ts";
import { randomFrom } from "./_testing/random.ts";
import { ReplayWindow } from "./_window.ts";

const WANTED = 3;
const HEAL_MS = 8_000;
const END_MS = 120_000;

interface Peer {
  readonly name: string;
  readonly ranked: readonly string[];
  readonly reach: Map<string, boolean>;
  readonly outbox: OutboxState;
  readonly windows: Map<string, ReplayWindow>;
  readonly delivered: Map<string, number>;
  readonly health: Map<string, RouteHealth>;
  readonly waitingSince: Map<string, number>;
  wakeAt: number;
}

class World {
  readonly #random: () => number;
  readonly #brokers: readonly string[];
  readonly #peers: Map<string, Peer> = new Map();
  readonly #calendar: Map<number, (() => void)[]> = new Map();
  readonly #used: Map<string, Set<string>> = new Map();
  #now = 0;
  acknowledged = 0;
  copies = 0;

  constructor(seed: number, peers: number, brokers: number) {
    this.#random = randomFrom(seed);
    this.#brokers = Array.from(
      { length: brokers },
      (_, i) => `mqtt://broker${i}.example${i % 5}.org`,
    );
    for (let i = 0; i < peers; i++) {
      const name = `peer${i}`;
      const scored = this.#brokers.map((broker) => ({
        broker,
        score: BigInt(Math.floor(this.#random() * 2 ** 50)),
      }));
      this.#peers.set(name, {
        ...{ name, ranked: rank(scored), wakeAt: Infinity },
        reach: new Map(this.#brokers.map((broker) => [broker, true])),
        outbox: openOutbox({
          spreadMax: 512,
          delayMs: (attempt) =>
            Math.min(4_000, 200 + this.#random() * 200 * 2 ** attempt),
        }),
        ...{ windows: new Map(), delivered: new Map(), health: new Map() },
        waitingSince: new Map(),
      });
    }
  }

  run(messages: number): void {
    const names = [...this.#peers.keys()];
    const pick = () => names[Math.floor(this.#random() * names.length)]!;
    const sequences = new Map<string, number>();
    for (let i = 0; i < messages; i++) {
      const [from, to] = [pick(), pick()];
      if (from === to) continue;
      this.#at(this.#random() * HEAL_MS, () => {
        const lane = `${from} ${to}`;
        const sequence = (sequences.get(lane) ?? 0) + 1;
        sequences.set(lane, sequence);
        this.#send(from, to, sequence);
      });
    }
    // Who reaches what changes all the time, and in the end it is whole again.
    for (let ms = 0; ms < HEAL_MS; ms += 400) {
      this.#at(ms, () => this.#partition());
    }
    this.#at(HEAL_MS, () => this.#heal());
    while (this.#now < END_MS && this.#busy()) {
      this.#now++;
      for (const what of this.#calendar.get(this.#now) ?? []) what();
      this.#calendar.delete(this.#now);
      for (const peer of this.#peers.values()) {
        if (peer.wakeAt <= this.#now) this.#step(peer, { type: "tick" });
      }
    }
    let sent = 0;
    for (const [lane, last] of sequences) {
      sent += last;
      const [from, to] = lane.split(" ");
      for (let sequence = 1; sequence <= last; sequence++) {
        const times = this.#peers.get(to!)!.delivered.get(
          `${from} ${sequence}`,
        );
        assertEquals(times, 1, `${lane} ${sequence}`);
      }
    }
    assertEquals(this.acknowledged, sent);
  }

  #busy(): boolean {
    return this.#calendar.size > 0 ||
      [...this.#peers.values()].some(({ outbox }) => outbox.size > 0);
  }

  #at(ms: number, what: () => void): void {
    const slot = Math.max(this.#now + 1, Math.ceil(ms));
    this.#calendar.set(slot, [...this.#calendar.get(slot) ?? [], what]);
  }

  #partition(): void {
    for (const peer of this.#peers.values()) {
      for (const broker of this.#brokers) {
        // Also more than half at once.
        peer.reach.set(broker, this.#random() > 0.45);
      }
    }
  }

  #heal(): void {
    for (const peer of this.#peers.values()) {
      for (const broker of this.#brokers) {
        if (peer.reach.get(broker)) continue;
        peer.reach.set(broker, true);
        this.#step(peer, { type: "broker-up", broker, uses: () => true });
      }
    }
  }

  #homes({ ranked, reach }: Peer): string[] {
    return homesOf(
      ranked,
      (broker) => reach.get(broker) ? "up" : "down",
      WANTED,
    );
  }

  #send(from: string, to: string, sequence: number): void {
    const peer = this.#peers.get(from)!;
    const { waitingSince, health } = peer;
    const { hedgeMs } = this.#healthTo(peer, to);
    waitingSince.set(to, Math.min(waitingSince.get(to) ?? Infinity, this.#now));
    health.set(to, this.#healthTo(peer, to));
    this.#step(peer, {
      ...{ type: "send", lane: to, sequence, deadline: Infinity },
      ...{ mode: "hedge", hedgeMs, ways: WANTED },
    });
  }

  #healthTo(peer: Peer, to: string): RouteHealth {
    const known = peer.health.get(to) ?? new RouteHealth();
    peer.health.set(to, known);
    return known;
  }

  #step(peer: Peer, input: OutboxInput): void {
    const { actions, wakeAt } = step(peer.outbox, input, this.#now);
    peer.wakeAt = wakeAt;
    for (const action of actions) this.#perform(peer, action);
  }

  #perform(peer: Peer, action: OutboxAction): void {
    if (action.type === "settle") {
      assertEquals(action.outcome, "acknowledged");
      this.acknowledged++;
      return;
    }
    const { lane: to, sequence } = action;
    const name = `${peer.name} ${to} ${sequence}`;
    const used = this.#used.get(name) ?? new Set();
    this.#used.set(name, used);
    const recipient = this.#peers.get(to)!;
    const health = this.#healthTo(peer, to);
    if (action.reason === "hedge" || action.reason === "retransmit") {
      for (const broker of used) health.blame(broker, this.#now);
    }
    const elapsedMs = this.#now - (peer.waitingSince.get(to) ?? this.#now);
    const width = widthAfter(elapsedMs, WANTED, recipient.ranked.length);
    const best = choose(
      recipient.ranked.slice(0, width).map((broker) => ({
        broker,
        up: peer.reach.get(broker)!,
        doubtful: health.isAvoided(broker, this.#now),
      })),
    );
    const ways = action.to === "all"
      ? best
      : action.to === "one"
      ? best.filter((broker) => !used.has(broker)).slice(0, 1)
      : best.filter((broker) =>
        broker === (action.to as { broker: string }).broker
      );
    for (const broker of ways) {
      used.add(broker);
      this.copies++;
      const ms = 2 + this.#random() * 30;
      this.#at(
        this.#now + ms,
        () => this.#arrive(peer, recipient, broker, sequence),
      );
    }
  }

  #arrive(from: Peer, to: Peer, broker: string, sequence: number): void {
    // A broker keeps nothing for who is not on it in this moment.
    if (!to.reach.get(broker) || !this.#homes(to).includes(broker)) return;
    const window = to.windows.get(from.name) ?? new ReplayWindow();
    to.windows.set(from.name, window);
    const verdict = window.check(sequence);
    assert(verdict !== "stale");
    if (verdict === "new") {
      window.mark(sequence);
      const name = `${from.name} ${sequence}`;
      to.delivered.set(name, (to.delivered.get(name) ?? 0) + 1);
    }
    const bytes = window.toBytes();
    this.#at(this.#now + 2 + this.#random() * 30, () => {
      // Wherever it is connected it listens.
      if (!from.reach.get(broker)) return;
      const has = ReplayWindow.fromBytes(bytes);
      this.#healthTo(from, to.name).praise(broker);
      from.waitingSince.delete(to.name);
      this.#step(from, {
        ...{ type: "ack", lane: to.name },
        has: (one) => has.check(one) === "seen",
      });
    });
  }
}

Deno.test("many peers over many brokers, through partitions: each message once", async (t) => {
  const given = Number(Deno.env.get("HOLDFAST_SEED"));
  const first = given > 0 ? given : Math.floor(Math.random() * 2 ** 31) + 1;
  for (let i = 0; i < (given > 0 ? 1 : runs(6, 300)); i++) {
    const seed = first + i;
    const again = `HOLDFAST_SEED=${seed} deno task test packages/signal`;
    await t.step(again, () => {
      const random = randomFrom(seed);
      const peers = 2 + Math.floor(random() * 12);
      const brokers = 1 + Math.floor(random() * 12);
      new World(seed, peers, brokers).run(300);
    });
  }
});
