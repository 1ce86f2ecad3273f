/** What a program commits of a stream, and what it cannot. */
import type { StreamCut } from "./store.ts";

/**
 * The point that a program commits: so far has it used what it reads, and all
 * that it has written is in answer to that.
 *
 * @throws {RangeError} For an offset before the last one, or not read yet.
 */
export function commitPoint(
  now: StreamCut,
  committed: number,
  offset: number,
): StreamCut {
  if (!(offset >= committed && offset <= now.consumed)) {
    throw new RangeError(
      `Cannot commit: the offset must be from ${committed} to ${now.consumed}: current value is ${offset}`,
    );
  }
  const finRead = now.finRead && offset === now.consumed;
  return { ...now, consumed: offset, finRead };
}

/** There is nothing to commit to. */
export function noCommit(): TypeError {
  return new TypeError(
    'Cannot commit: it takes a server with the options store and commits: "manual"',
  );
}
