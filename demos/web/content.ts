/**
 * Bytes that say where in their stream they belong, and a reader that finds out
 * from the bytes alone how many are missing, how many came again, and how many
 * are wrong.
 *
 * The stream is made of words of four bytes, little-endian: word `i` is
 * `seed + i * STEP` modulo 2^32. `STEP` is odd, so that a word tells its `i`.
 */

const STEP = 0x9e3779b1 | 0;
// STEP times this is 1, modulo 2^32; found by Newton's iteration.
const INVERSE = inverse(STEP);
/** Words in a row that must follow each other to be believed. */
const PROOF_WORDS = 3;
/** With any of four alignments in it. */
const PROOF_BYTES = 4 * PROOF_WORDS + 3;
/** After so many bytes the numbers of the words begin again: 16 GiB. */
const PERIOD = 2 ** 34;

function inverse(odd: number): number {
  let x = odd;
  for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(odd, x));
  return x;
}

/** Writes the stream's bytes from `position` on. */
export function fill(into: Uint8Array, seed: number, position: number): void {
  let shift = (position % 4) * 8;
  let word = (seed + Math.imul(Math.floor(position / 4) | 0, STEP)) | 0;
  for (let i = 0; i < into.length; i++) {
    into[i] = word >>> shift;
    shift += 8;
    if (shift === 32) {
      shift = 0;
      word = (word + STEP) | 0;
    }
  }
}

/** What a reader has found so far; all in bytes. */
export interface Tally {
  /** Read and placed in the stream. */
  readonly received: number;
  /** Skipped: the bytes before and after are here, these are not. */
  readonly lost: number;
  /** Here a second time. */
  readonly doubled: number;
  /** Belonging nowhere. */
  readonly corrupt: number;
}

/** Nothing yet. */
export const NOTHING: Tally = { received: 0, lost: 0, doubled: 0, corrupt: 0 };

/** Reads a stream of {@linkcode fill} and compares every byte of it. */
export class Checker {
  readonly #seed: number;
  readonly #scratch = new Uint8Array(64 * 1024);
  // Where the next byte belongs, if nothing is missing.
  #position: number;
  #received: number;
  #lost: number;
  #doubled: number;
  #corrupt: number;
  // What does not fit, until there is enough of it to tell its place.
  #puzzle: Uint8Array = new Uint8Array(0);

  /** Goes on after what another one has found. */
  constructor(seed: number, { received, lost, doubled, corrupt }: Tally) {
    this.#seed = seed;
    this.#received = received;
    this.#lost = lost;
    this.#doubled = doubled;
    this.#corrupt = corrupt;
    this.#position = received + lost - doubled;
  }

  /** What was found; bytes whose place is not known yet are not in it. */
  get tally(): Tally {
    return {
      received: this.#received,
      lost: this.#lost,
      doubled: this.#doubled,
      corrupt: this.#corrupt,
    };
  }

  /** Takes the next bytes. */
  feed(bytes: Uint8Array): void {
    let rest = bytes;
    if (this.#puzzle.length > 0) {
      rest = new Uint8Array(this.#puzzle.length + bytes.length);
      rest.set(this.#puzzle);
      rest.set(bytes, this.#puzzle.length);
      this.#puzzle = new Uint8Array(0);
      rest = this.#solve(rest);
    }
    while (rest.length > 0) {
      const fitting = this.#fitting(rest);
      this.#take(fitting);
      rest = rest.subarray(fitting);
      if (rest.length > 0) rest = this.#solve(rest);
    }
  }

  #take(count: number): void {
    this.#received += count;
    this.#position += count;
  }

  /** How many bytes are those that belong here. */
  #fitting(bytes: Uint8Array): number {
    for (let done = 0; done < bytes.length;) {
      const size = Math.min(bytes.length - done, this.#scratch.length);
      const expected = this.#scratch.subarray(0, size);
      fill(expected, this.#seed, this.#position + done);
      for (let i = 0; i < size; i++) {
        if (bytes[done + i] !== expected[i]) return done + i;
      }
      done += size;
    }
    return bytes.length;
  }

  /** Finds the place of bytes that do not fit; gives those that are left. */
  #solve(bytes: Uint8Array): Uint8Array {
    let from = 0;
    for (; bytes.length - from >= PROOF_BYTES; from++) {
      const place = placeOf(bytes.subarray(from), this.#seed);
      if (place === undefined) {
        this.#corrupt++;
        this.#take(1);
        continue;
      }
      this.#jump(place);
      return bytes.subarray(from);
    }
    this.#puzzle = bytes.slice(from);
    return new Uint8Array(0);
  }

  #jump(place: number): void {
    let distance = (place - this.#position % PERIOD) % PERIOD;
    if (distance >= PERIOD / 2) distance -= PERIOD;
    if (distance < -PERIOD / 2) distance += PERIOD;
    if (distance > 0) this.#lost += distance;
    else this.#doubled -= distance;
    this.#position += distance;
  }
}

/** Where in a period the bytes belong, if they do. */
function placeOf(bytes: Uint8Array, seed: number): number | undefined {
  for (let skip = 0; skip < 4; skip++) {
    const first = wordAt(bytes, skip);
    let follows = true;
    for (let i = 1; i < PROOF_WORDS && follows; i++) {
      const expected = (first + Math.imul(i, STEP)) | 0;
      follows = wordAt(bytes, skip + 4 * i) === expected;
    }
    if (!follows) continue;
    const index = Math.imul((first - seed) | 0, INVERSE) >>> 0;
    const place = (index * 4 - skip + PERIOD) % PERIOD;
    // The bytes before the words must be those that stand before them.
    const before = new Uint8Array(skip);
    fill(before, seed, place);
    if (before.every((byte, i) => bytes[i] === byte)) return place;
  }
  return undefined;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 |
    bytes[at + 3]! << 24;
}
