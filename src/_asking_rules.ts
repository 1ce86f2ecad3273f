/**
 * When a peer that cannot be reached is asked where it is. Each question is a
 * message through brokers, which is carried on until it is answered or late; so
 * one is under way at a time, and after each that did not help the next one
 * waits longer. Time and chance are passed in.
 */

const FIRST_MS = 1_000;
const MAX_MS = 30_000;

/** See the module's comment; times in milliseconds. */
export class AskingRules {
  #asking = false;
  #failures = 0;
  #notBefore = -Infinity;

  /** Whether to ask now; whoever is told yes calls {@linkcode answered}. */
  ask(now: number): boolean {
    if (this.#asking || now < this.#notBefore) return false;
    this.#asking = true;
    return true;
  }

  /**
   * The question is over. `news`, whether the answer names other places than
   * those that were known. `random` is from 0 to 1.
   */
  answered(news: boolean, now: number, random: number): void {
    this.#asking = false;
    this.#failures = news ? 1 : this.#failures + 1;
    const limit = Math.min(MAX_MS, FIRST_MS * 2 ** (this.#failures - 1));
    // The upper half of it by chance: peers that lost the same network do not
    // ask in step, and none asks at once again.
    this.#notBefore = now + limit * (0.5 + random / 2);
  }

  /**
   * The network changed, or the other peer said something: ask at will. A
   * question that is under way is taken back.
   */
  reset(): void {
    this.#asking = false;
    this.#failures = 0;
    this.#notBefore = -Infinity;
  }
}
