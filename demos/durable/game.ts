/**
 * A tiny game: each throw of a die adds to a player's score. The die has a
 * state, so that a throw that is lost, or made twice, changes all that follow.
 */

/** Where a player stands. */
export interface Score {
  /** How many throws there were. */
  readonly throws: number;
  /** What they came to together. */
  readonly sum: number;
  /** Decides the next throw. */
  readonly die: number;
}

/** How many bytes a score takes. */
export const SCORE_BYTES = 12;

/** Before the first throw. */
export const START: Score = { throws: 0, sum: 0, die: 2_463_534_242 };

/** One throw (xorshift32, by George Marsaglia). */
export function throwDie({ throws, sum, die }: Score): Score {
  let next = die;
  next ^= next << 13;
  next ^= next >>> 17;
  next ^= next << 5;
  next >>>= 0;
  return { throws: throws + 1, sum: sum + 1 + next % 6, die: next };
}

/** A score as bytes. */
export function encodeScore(score: Score): Uint8Array<ArrayBuffer> {
  return new Uint8Array(
    Uint32Array.of(score.throws, score.sum, score.die).buffer,
  );
}

/** The score in bytes. */
export function decodeScore(bytes: Uint8Array): Score {
  const [throws, sum, die] = new Uint32Array(bytes.slice().buffer);
  return { throws: throws!, sum: sum!, die: die! };
}
