/**
 * What one end has learned about the ways to one peer: how long an answer
 * takes, and by which brokers none came. Time comes in as `now`.
 */

/** Before anything was measured. */
const HEDGE_FIRST_MS = 80;
const HEDGE_MIN_MS = 20;
const HEDGE_MAX_MS = 250;
const AVOID_FIRST_MS = 2_000;
const AVOID_MAX_MS = 30_000;

interface Blame {
  untilMs: number;
  streak: number;
}

/** The ways to one peer. */
export class RouteHealth {
  readonly #blamed: Map<string, Blame> = new Map();
  #smoothMs: number | undefined;
  #deviationMs = 0;

  /** Takes the time of an answer to something that was sent once (Karn). */
  measured(ms: number): void {
    // The weights of RFC 6298.
    if (this.#smoothMs === undefined) {
      this.#smoothMs = ms;
      this.#deviationMs = ms / 2;
      return;
    }
    this.#deviationMs += (Math.abs(ms - this.#smoothMs) - this.#deviationMs) /
      4;
    this.#smoothMs += (ms - this.#smoothMs) / 8;
  }

  /** How late an answer may be before the next broker is tried. */
  get hedgeMs(): number {
    if (this.#smoothMs === undefined) return HEDGE_FIRST_MS;
    const usual = 2 * this.#smoothMs + 4 * this.#deviationMs;
    return Math.min(HEDGE_MAX_MS, Math.max(HEDGE_MIN_MS, usual));
  }

  /** An answer is late that should have come by it. */
  blame(broker: string, now: number): void {
    const blame = this.#blamed.get(broker) ?? { untilMs: 0, streak: 0 };
    // What was under way at the same time is one failure, not many.
    if (now < blame.untilMs) return;
    const ms = Math.min(AVOID_MAX_MS, AVOID_FIRST_MS * 2 ** blame.streak);
    blame.untilMs = now + ms;
    blame.streak++;
    this.#blamed.set(broker, blame);
  }

  /** Something came by it from the peer. */
  praise(broker: string): void {
    this.#blamed.delete(broker);
  }

  /** Whether others are better for now. */
  isAvoided(broker: string, now: number): boolean {
    return now < (this.#blamed.get(broker)?.untilMs ?? -Infinity);
  }

  /** It was this end's own network: nobody is to blame. */
  forgive(): void {
    this.#blamed.clear();
  }
}

/** How a broker stands, for {@linkcode choose}. */
export interface Way {
  readonly broker: string;
  readonly up: boolean;
  /** It seems frozen, or answers by it are late. */
  readonly doubtful: boolean;
}

/**
 * The brokers that are up, best first: in the order of the recipient's id,
 * those that are in doubt last. Health orders sends and decides nothing else.
 */
export function choose(ways: readonly Way[]): string[] {
  return ways.filter(({ up }) => up)
    .map((way, place) => ({ ...way, place }))
    .sort((a, b) =>
      Number(a.doubtful) - Number(b.doubtful) || a.place - b.place
    )
    .map(({ broker }) => broker);
}
