/**
 * Whether the path to a peer lives, told by what comes over it: silence brings
 * a ping, and silence after that the verdict. Time is passed in.
 */

// Three silent heartbeats: one may be lost to a retransmission.
const DEAD_AFTER_HEARTBEATS = 3;
const DEAD_AFTER_ROUND_TRIPS = 4;

/** See the module's comment; times in milliseconds. */
export class Liveness {
  readonly #heartbeatMs: number;
  #heardAt = 0;
  #pinged = false;
  #pingedAt = 0;
  #rttMs = 0;
  #expectedAt = Infinity;

  constructor(heartbeatMs: number) {
    this.#heartbeatMs = heartbeatMs;
  }

  /** When the last byte came, or the transport. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** A new transport begins with a fresh clock; the round trip is kept. */
  attach(now: number): void {
    this.heard(now);
    this.#expectedAt = Infinity;
  }

  /** Something came. */
  heard(now: number): void {
    this.#heardAt = now;
    this.#pinged = false;
  }

  /** Whether nothing has come for a heartbeat. */
  quiet(now: number): boolean {
    return now - this.#heardAt >= this.#heartbeatMs;
  }

  /** Whether a ping is to be sent. */
  pingDue(now: number): boolean {
    return !this.#pinged && this.quiet(now);
  }

  /** One was sent. */
  pinged(now: number): void {
    this.#pinged = true;
    this.#pingedAt = now;
  }

  /** Its answer came. */
  answered(now: number): void {
    const tripMs = now - this.#pingedAt;
    // A path that slow would have been given up: this end slept meanwhile, and
    // to take the night for a round trip would mean never to give up again.
    if (tripMs > this.#deadAfterMs()) return;
    // Smoothed as TCP does it (RFC 6298), from the one ping under way.
    this.#rttMs += (tripMs - this.#rttMs) / (this.#rttMs === 0 ? 1 : 8);
  }

  /**
   * Whether the path is dead: three heartbeats without a byte, or more on a
   * path whose round trips are long. A call that comes much later than it was
   * asked for finds a process that slept; then the peer gets another chance.
   */
  dead(now: number): boolean {
    if (now - this.#expectedAt > this.#heartbeatMs) {
      this.#heardAt = now - this.#heartbeatMs;
    }
    return now - this.#heardAt >= this.#deadAfterMs();
  }

  #deadAfterMs(): number {
    return Math.max(
      this.#heartbeatMs * DEAD_AFTER_HEARTBEATS,
      this.#heartbeatMs + this.#rttMs * DEAD_AFTER_ROUND_TRIPS,
    );
  }

  /** When to ask again, if nothing comes before. */
  wakeAt(now: number): number {
    // A ping that is due and cannot go out, for a write that does not end, is
    // as good as one that nobody answers.
    const silence = this.#pinged || this.pingDue(now)
      ? this.#deadAfterMs()
      : this.#heartbeatMs;
    return this.#expectedAt = this.#heardAt + silence;
  }
}
