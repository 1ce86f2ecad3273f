/**
 * Sessions that were welcomed and not confirmed. A client that heard the
 * welcome and was cut off before its proof arrived takes the session for open:
 * it comes back with a RESUME, and that proves the same keys.
 */
import type { Bytes } from "./_records.ts";

/** A session that its client may take for open. */
export interface HalfOpen {
  readonly sid: Bytes;
  /** The secret alone: keys that are ready to use take several kilobytes. */
  readonly secret: Bytes;
  readonly keyId: Bytes;
  readonly until: number;
}

const HALF_OPEN_MAX = 1024;
const HALF_OPEN_MS = 30_000;

/** Bounded in number and time; time is passed in. */
export class HalfOpenSessions {
  readonly #sessions = new Map<string, HalfOpen>();

  add(sid: Bytes, secret: Bytes, keyId: Bytes, now: number): void {
    for (const [old, { until }] of this.#sessions) {
      // In the order in which they came: the first that may stay ends the sweep.
      if (until > now && this.#sessions.size < HALF_OPEN_MAX) break;
      this.#sessions.delete(old);
    }
    const until = now + HALF_OPEN_MS;
    this.#sessions.set(sid.toHex(), { sid, secret, keyId, until });
  }

  find(sid: string, now: number): HalfOpen | undefined {
    const session = this.#sessions.get(sid);
    return session !== undefined && session.until > now ? session : undefined;
  }

  /** Takes it out: it is open now, and not twice. */
  take(sid: string): boolean {
    return this.#sessions.delete(sid);
  }

  /** Those that may still come, for another process. */
  all(now: number): HalfOpen[] {
    return [...this.#sessions.values()].filter(({ until }) => until > now);
  }

  get size(): number {
    return this.#sessions.size;
  }
}
