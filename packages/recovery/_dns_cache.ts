import type { DnsAnswer, ResolvedAddress } from "./_dns_types.ts";

interface Entry {
  readonly addresses: readonly ResolvedAddress[];
  readonly freshUntil: number;
}

/** How many names and types are kept. */
const ENTRIES_MAX = 512;
/** How long addresses may serve in need after their time, RFC 8767 §5. */
const STALE_MAX_MS = 86_400_000;

/**
 * The addresses that were found, the oldest use dropped first. Nothing is kept
 * of a failure: after a change of network a name that was not there is.
 */
export class DnsCache {
  readonly #entries: Map<string, Entry> = new Map();

  /** What is known and in time. */
  fresh(key: string, now: number): readonly ResolvedAddress[] | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || now >= entry.freshUntil) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.addresses;
  }

  /** What is known at all, for when nobody answers. */
  stale(key: string, now: number): readonly ResolvedAddress[] | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || now >= entry.freshUntil + STALE_MAX_MS) {
      return undefined;
    }
    return entry.addresses;
  }

  /** Keeps an answer, and forgets what an answer says is no more. */
  take(key: string, answer: DnsAnswer, now: number): void {
    if (answer.kind === "no-such-name" || answer.kind === "no-data") {
      this.#entries.delete(key);
      return;
    }
    if (answer.kind !== "addresses") return;
    const ttl = Math.min(...answer.addresses.map((a) => a.ttlSeconds));
    this.#entries.delete(key);
    this.#entries.set(key, {
      addresses: answer.addresses,
      freshUntil: now + ttl * 1_000,
    });
    if (this.#entries.size <= ENTRIES_MAX) return;
    const [oldest] = this.#entries.keys();
    this.#entries.delete(oldest!);
  }
}
