import { backoff } from "@holdfast/recovery/backoff";
import { BrokerLink, type Handed } from "./_broker_link.ts";
import type { MqttConnect } from "./_mqtt.ts";
import { homesOf, type Standing } from "./_ranking.ts";
import type { BrokerState } from "./signalling.ts";

const RETRY_FIRST_MS = 250;
// With full jitter a dead broker is asked twenty times an hour in the end.
const RETRY_MAX_MS = 360_000;
const RETRY_MIN_MS = 50;
// With no broker at all every second counts, and the load on each is small.
const RETRY_MAX_ALL_DOWN_MS = 4_000;
/** How many of the brokers must fail at once for it to be us. */
const OURS_SHARE = 0.8;
const AT_ONCE_MS = 3_000;
/** A broker that is not one of ours stays for as long after its last use. */
const AWAY_MS = 300_000;
/** Others go first for so long after one is back: the peer may not be yet. */
const FRESH_MS = 2_000;

/** What a pool tells its owner. */
export interface PoolOwner {
  readonly onUp: (broker: string, back: boolean) => void;
  readonly onDown: (broker: string, reason: string, retryInMs: number) => void;
  readonly onSuspect: (broker: string, suspect: boolean) => void;
  /** So many of them failed at once that it must be this end's network. */
  readonly onIsolated: (brokers: number) => void;
  readonly onFrame: (broker: string, bytes: Uint8Array) => void;
  readonly onRetained: (broker: string) => void;
  readonly topics: () => readonly string[];
}

/** How a broker stands with this end. */
export interface LinkStanding {
  readonly up: boolean;
  readonly suspect: boolean;
  /** It came back a moment ago. */
  readonly fresh: boolean;
}

/** What a pool is made of. */
export interface PoolConfig {
  /** URLs by the name under which each is shown: without its password. */
  readonly urls: ReadonlyMap<string, string>;
  /** The names in the order of this end's id. */
  readonly ranked: readonly string[];
  /** How many of them to be on. */
  readonly homes: number;
  readonly connect: MqttConnect;
}

/**
 * The brokers that this end is on: its own by rank, and those of peers to whom
 * it has something to say. On each it listens, so that an answer comes back by
 * the broker that carried the question.
 */
export class BrokerPool {
  readonly #config: PoolConfig;
  readonly #owner: PoolOwner;
  readonly #links: Map<string, BrokerLink> = new Map();
  readonly #closing: Map<string, Promise<void>> = new Map();
  // Until when each is kept though it is not one of ours.
  readonly #away: Map<string, number> = new Map();
  readonly #delayMs: (attempt: number) => number;
  readonly #wentDown: Map<string, number> = new Map();
  readonly #backAt: Map<string, number> = new Map();
  #closed = false;

  constructor(config: PoolConfig, owner: PoolOwner) {
    this.#config = config;
    this.#owner = owner;
    this.#delayMs = backoff({
      firstMs: RETRY_FIRST_MS,
      maxMs: RETRY_MAX_MS,
      minMs: RETRY_MIN_MS,
    });
    this.#settle();
  }

  /** How many are up. */
  get upCount(): number {
    let count = 0;
    for (const link of this.#links.values()) {
      if (link.status === "up") count++;
    }
    return count;
  }

  /** How each stands, in the order in which they were given. */
  get states(): BrokerState[] {
    const homes = new Set(this.#homes());
    return [...this.#config.urls.keys()].map((url) =>
      stateOf(url, this.#links.get(url), homes.has(url))
    );
  }

  /** Whether a broker is there to publish to, and does not seem frozen. */
  standing(broker: string): LinkStanding {
    const link = this.#links.get(broker);
    const backAt = this.#backAt.get(broker) ?? -Infinity;
    return {
      up: link?.status === "up",
      suspect: link?.suspect ?? false,
      fresh: performance.now() - backAt < FRESH_MS,
    };
  }

  /** Sees to it that these are tried too, as those of a peer. */
  use(brokers: readonly string[]): void {
    const until = performance.now() + AWAY_MS;
    let news = false;
    for (const broker of brokers) {
      news ||= !this.#links.has(broker);
      this.#away.set(broker, until);
    }
    if (news) this.#settle();
  }

  /** Hands a frame to one broker. */
  publish(broker: string, topic: string, frame: Uint8Array): Handed {
    return this.#links.get(broker)?.publish(topic, frame) ?? "not-up";
  }

  /** Where this end listens has changed. */
  retopic(): void {
    for (const link of this.#links.values()) link.retopic();
  }

  /** Tries those that are down at once. */
  retry(): void {
    for (const link of this.#links.values()) link.retry();
  }

  /** The network changed: asks those that are up, and tries those that are not. */
  probe(): void {
    for (const link of this.#links.values()) link.probe();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([
      ...Array.from(this.#links.values(), (link) => link.close()),
      ...this.#closing.values(),
    ]);
  }

  #homes(): string[] {
    const standingOf = (broker: string): Standing => {
      const link = this.#links.get(broker);
      if (link === undefined) return "idle";
      if (link.status === "up") return "up";
      // Its first attempt counts on it; the later ones do not.
      return link.failures === 0 ? "trying" : "down";
    };
    return homesOf(this.#config.ranked, standingOf, this.#config.homes);
  }

  /** Opens the links that are wanted, and closes those that are not any more. */
  #settle(): void {
    if (this.#closed) return;
    const now = performance.now();
    for (const [broker, until] of this.#away) {
      if (until < now) this.#away.delete(broker);
    }
    const wanted = new Set([...this.#homes(), ...this.#away.keys()]);
    for (const broker of wanted) {
      if (this.#links.has(broker) || this.#closing.has(broker)) continue;
      const url = this.#config.urls.get(broker);
      if (url !== undefined) this.#links.set(broker, this.#open(broker, url));
    }
    for (const [broker, link] of this.#links) {
      // Nobody but this end knows that it is not on it any more: so it leaves
      // only what it is on for no reason, and long after it had one.
      if (wanted.has(broker) || link.status === "up") continue;
      this.#links.delete(broker);
      const closing = link.close().finally(() => this.#closing.delete(broker));
      this.#closing.set(broker, closing);
    }
  }

  #open(broker: string, url: string): BrokerLink {
    const owner = this.#owner;
    let before = false;
    const link = new BrokerLink(url, this.#config.connect, {
      onUp: () => {
        this.#wentDown.delete(broker);
        // The first one back: the cause was ours, so the others are too.
        if (before && this.upCount === 1) this.retry();
        if (before) this.#backAt.set(broker, performance.now());
        owner.onUp(broker, before);
        before = true;
        this.#settle();
      },
      onDown: (reason, retryInMs) => {
        owner.onDown(broker, reason, retryInMs);
        if (before) this.#lost(broker);
        // Not from within the link's own constructor.
        queueMicrotask(() => this.#settle());
      },
      onSuspect: (suspect) => owner.onSuspect(broker, suspect),
      onFrame: (bytes) => owner.onFrame(broker, bytes),
      onRetained: () => owner.onRetained(broker),
      topics: owner.topics,
      isLast: () => this.upCount <= 1,
      retryDelayMs: (attempt) =>
        this.upCount > 0
          ? this.#delayMs(attempt)
          : Math.min(this.#delayMs(attempt), RETRY_MAX_ALL_DOWN_MS),
    });
    return link;
  }

  #lost(broker: string): void {
    const now = performance.now();
    this.#wentDown.set(broker, now);
    for (const [other, at] of this.#wentDown) {
      if (now - at > AT_ONCE_MS) this.#wentDown.delete(other);
    }
    const down = this.#wentDown.size;
    if (down < 2 || down < OURS_SHARE * (down + this.upCount)) return;
    this.#wentDown.clear();
    this.#owner.onIsolated(down);
    for (const link of this.#links.values()) link.failures = 0;
  }
}

function stateOf(
  url: string,
  link: BrokerLink | undefined,
  home: boolean,
): BrokerState {
  if (link === undefined) return { url, status: "idle", home };
  const { status, reason, suspect, failures, rttMs, version } = link;
  const limit = link.frameBytesMax();
  return {
    url,
    status,
    home,
    ...(status === "down" && reason !== undefined ? { reason } : {}),
    ...(suspect ? { suspect } : {}),
    ...(failures > 0 ? { failures } : {}),
    ...(status === "up" ? { version } : {}),
    ...(rttMs !== undefined ? { rttMs: Math.round(rttMs * 100) / 100 } : {}),
    ...(limit < Infinity ? { frameBytesMax: limit } : {}),
  };
}
