import { type Bytes, toHex } from "./_bytes.ts";
import { TokenBucket } from "./_bucket.ts";
import {
  isSameHello,
  makeHello,
  makeWelcome,
  type OpenedHello,
  openHello,
  openWelcome,
  type PendingHello,
} from "./_handshake.ts";
import type { Lane, Lanes } from "./_lanes.ts";
import { LruMap } from "./_lru.ts";
import type { Packet } from "./_packet.ts";
import type { Sessions } from "./_sessions.ts";
import { TaskSet } from "./_tasks.ts";
import { dayOf, inboxTopic } from "./_topics.ts";
import type { Identity } from "./identity.ts";

// A hello costs a millisecond of one core, and anyone may send them: this
// keeps those of one broker to a few per cent, and brokers apart.
const HELLOS_BURST = 64;
const HELLOS_PER_SECOND = 32;
const ANSWERED_MAX = 256;
/** How often the same packet of a handshake goes to the same broker. */
const AGAIN_MS = 150;
/** A hello that nobody answers is made anew, with new keys. */
const HELLO_MS_MAX = 30_000;
const RENEW_FIRST_MS = 1_000;
const RENEW_MAX_MS = 30_000;

/** What it needs of its owner. */
export interface ContactsOwner {
  readonly publish: (broker: string, topic: string, packet: Bytes) => boolean;
  readonly reject: (
    broker: string,
    why: "not-authentic" | "overloaded",
  ) => void;
  /** There is a session with the peer, or another one. */
  readonly onSession: (peer: string, reason: "hello" | "welcome") => void;
}

interface Greeting {
  readonly hello: Promise<PendingHello>;
  readonly madeAt: number;
  readonly sentAt: Map<string, number>;
}

interface Answered {
  readonly hello: OpenedHello;
  readonly welcome: Bytes;
  readonly sentAt: Map<string, number>;
}

/** First contact, in both directions: hellos out and in, welcomes in and out. */
export class Contacts {
  /** Hellos handed to brokers. */
  hellos = 0;
  readonly #identity: Identity;
  readonly #lanes: Lanes;
  readonly #sessions: Sessions;
  readonly #owner: ContactsOwner;
  readonly #tasks: TaskSet = new TaskSet();
  readonly #greetings: LruMap<string, Greeting> = new LruMap(ANSWERED_MAX);
  readonly #byRef: LruMap<string, PendingHello> = new LruMap(ANSWERED_MAX);
  readonly #answered: LruMap<string, Answered> = new LruMap(ANSWERED_MAX);
  readonly #opening: Set<string> = new Set();
  readonly #buckets: Map<string, TokenBucket> = new Map();
  readonly #renewals: LruMap<string, { at: number; waitMs: number }> =
    new LruMap(ANSWERED_MAX);
  #closed = false;

  constructor(
    identity: Identity,
    lanes: Lanes,
    sessions: Sessions,
    owner: ContactsOwner,
  ) {
    this.#identity = identity;
    this.#lanes = lanes;
    this.#sessions = sessions;
    this.#owner = owner;
  }

  /** Says hello to a peer by these brokers; not more often than makes sense. */
  greet(lane: Lane, brokers: readonly string[]): void {
    const now = performance.now();
    let greeting = this.#greetings.get(lane.peer);
    if (greeting === undefined || now - greeting.madeAt > HELLO_MS_MAX) {
      const hello = makeHello(this.#identity, lane.peer, lane.epoch);
      greeting = { hello, madeAt: now, sentAt: new Map() };
      this.#greetings.set(lane.peer, greeting);
    }
    const { hello, sentAt } = greeting;
    const due = brokers.filter((broker) =>
      now - (sentAt.get(broker) ?? -Infinity) >= AGAIN_MS
    );
    if (due.length === 0) return;
    for (const broker of due) sentAt.set(broker, now);
    this.#tasks.run(async () => {
      const pending = await hello;
      this.#byRef.set(pending.ref, pending);
      const topic = await inboxTopic(lane.peer, dayOf(Date.now()));
      if (this.#closed) return;
      for (const broker of due) {
        if (this.#owner.publish(broker, topic, pending.packet)) this.hellos++;
      }
    });
  }

  /** The peer does not answer in the session: perhaps it has forgotten it. */
  renew(lane: Lane, brokers: readonly string[]): void {
    const now = performance.now();
    const last = this.#renewals.get(lane.peer);
    if (last !== undefined && now < last.at + last.waitMs) {
      // The one under way goes by further brokers too.
      if (this.#greetings.has(lane.peer)) this.greet(lane, brokers);
      return;
    }
    const waitMs = last === undefined
      ? RENEW_FIRST_MS
      : Math.min(RENEW_MAX_MS, 2 * last.waitMs);
    this.#renewals.set(lane.peer, { at: now, waitMs });
    this.greet(lane, brokers);
  }

  /** Something authentic came from the peer in a session. */
  isWell(peer: string): void {
    this.#renewals.delete(peer);
  }

  /** Takes a hello; the costly part is limited for each broker by itself. */
  onHello(broker: string, packet: Packet & { readonly kind: "hello" }): void {
    const name = toHex(packet.ephemeral);
    const known = this.#answered.get(name);
    if (known !== undefined) {
      if (isSameHello(known.hello, packet.whole)) this.#answer(broker, known);
      return;
    }
    if (this.#opening.has(name)) return;
    if (!this.#bucketOf(broker).take(performance.now())) {
      return this.#owner.reject(broker, "overloaded");
    }
    this.#opening.add(name);
    this.#tasks.run(async () => {
      try {
        await this.#open(broker, packet, name);
      } finally {
        this.#opening.delete(name);
      }
    });
  }

  /** Takes a welcome, of somebody to whom this end has said hello. */
  onWelcome(
    broker: string,
    packet: Packet & { readonly kind: "welcome" },
  ): void {
    const pending = this.#byRef.get(packet.ref);
    // It is answered already, or never asked: that costs nothing. Whoever saw
    // the hello can make welcomes up, so each broker has a budget for them.
    if (pending === undefined) return;
    const name = `${broker} ${packet.ref}`;
    if (this.#opening.has(name)) return;
    if (!this.#bucketOf(broker).take(performance.now())) {
      return this.#owner.reject(broker, "overloaded");
    }
    this.#opening.add(name);
    this.#tasks.run(async () => {
      const secrets = await openWelcome(this.#identity, pending, packet)
        .finally(() => this.#opening.delete(name));
      if (secrets === undefined) {
        return this.#owner.reject(broker, "not-authentic");
      }
      if (this.#closed || !this.#byRef.has(packet.ref)) return;
      this.#byRef.delete(packet.ref);
      this.#greetings.delete(pending.peer);
      await this.#sessions.add(secrets, performance.now());
      if (!this.#closed) this.#owner.onSession(pending.peer, "welcome");
    });
  }

  /** Takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tasks.idle();
  }

  #bucketOf(broker: string): TokenBucket {
    let bucket = this.#buckets.get(broker);
    if (bucket === undefined) {
      bucket = new TokenBucket(HELLOS_BURST, HELLOS_PER_SECOND);
      this.#buckets.set(broker, bucket);
    }
    return bucket;
  }

  async #open(
    broker: string,
    packet: Packet & { readonly kind: "hello" },
    name: string,
  ): Promise<void> {
    const hello = await openHello(this.#identity, packet);
    if (hello === undefined || hello.peer === this.#identity.id) {
      return this.#owner.reject(broker, "not-authentic");
    }
    const { epoch } = this.#lanes.to(hello.peer);
    const { packet: welcome, secrets } = await makeWelcome(
      this.#identity,
      hello,
      epoch,
    );
    if (this.#closed) return;
    this.#sessions.addHalfOpen(secrets, performance.now());
    const answered = { hello, welcome, sentAt: new Map<string, number>() };
    this.#answered.set(name, answered);
    this.#answer(broker, answered);
  }

  #answer(broker: string, { hello, welcome, sentAt }: Answered): void {
    const now = performance.now();
    if (now - (sentAt.get(broker) ?? -Infinity) < AGAIN_MS) return;
    sentAt.set(broker, now);
    this.#tasks.run(async () => {
      const topic = await inboxTopic(hello.peer, dayOf(Date.now()));
      if (!this.#closed) this.#owner.publish(broker, topic, welcome);
    });
  }
}
