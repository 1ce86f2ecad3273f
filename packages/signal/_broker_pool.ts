import { backoff } from "@holdfast/recovery";
import { BrokerLink } from "./_broker_link.ts";
import type { MqttConnect } from "./_mqtt.ts";
import type { BrokerState } from "./signalling.ts";

const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 30_000;
const RETRY_MIN_MS = 50;
// With no broker at all every second counts, and the load on each is small.
const RETRY_MAX_ALL_DOWN_MS = 4000;

/** What a pool tells its owner. */
export interface PoolOwner {
  readonly onUp: (broker: string, back: boolean) => void;
  readonly onDown: (broker: string, reason: string, retryInMs: number) => void;
  readonly onFrame: (broker: string, bytes: Uint8Array) => void;
  readonly onRetained: (broker: string) => void;
}

/** All the brokers, each with a link of its own. */
export class BrokerPool {
  readonly #links: ReadonlyMap<string, BrokerLink>;

  /** `urls` by the name under which each is shown: without its password. */
  constructor(
    urls: ReadonlyMap<string, string>,
    topic: string,
    connect: MqttConnect,
    owner: PoolOwner,
  ) {
    const delayMs = backoff({
      firstMs: RETRY_FIRST_MS,
      maxMs: RETRY_MAX_MS,
      minMs: RETRY_MIN_MS,
    });
    const links = new Map<string, BrokerLink>();
    this.#links = links;
    for (const [name, url] of urls) {
      let before = false;
      links.set(
        name,
        new BrokerLink(url, topic, connect, {
          onUp: () => {
            // The first one back: the cause was ours, so the others are too.
            if (before && this.upCount === 1) this.retry();
            owner.onUp(name, before);
            before = true;
          },
          onDown: (reason, retryInMs) => owner.onDown(name, reason, retryInMs),
          onFrame: (bytes) => owner.onFrame(name, bytes),
          onRetained: () => owner.onRetained(name),
          retryDelayMs: (attempt) =>
            this.upCount > 0
              ? delayMs(attempt)
              : Math.min(delayMs(attempt), RETRY_MAX_ALL_DOWN_MS),
        }),
      );
    }
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
    return Array.from(this.#links, ([url, { status, reason }]) => ({
      url,
      status,
      ...(status === "down" && reason !== undefined ? { reason } : {}),
    }));
  }

  /** Hands the very same bytes to one broker or to all; says how many took them. */
  publish(topic: string, frame: Uint8Array, only?: string): number {
    let copies = 0;
    for (const [name, link] of this.#links) {
      if (only !== undefined && only !== name) continue;
      if (link.publish(topic, frame)) copies++;
    }
    return copies;
  }

  /** Tries those that are down at once. */
  retry(): void {
    for (const link of this.#links.values()) link.retry();
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#links.values(), (link) => link.close()));
  }
}
