// deno-lint-ignore-file no-console -- a command-line program
/** What the benchmark found, and how it tells of its progress. */
import { round } from "./numbers.ts";

/** Figures by name. */
export type Figures = Record<string, number>;

/** The last line of the benchmark. */
export interface Result {
  readonly ratios: Figures;
  readonly figures: Figures;
  readonly peers: Figures;
}

/** How much to measure. */
export interface Plan {
  /** Throughput: rounds of ours and of raw TCP. */
  readonly rounds: number;
  /** The same of the other peers, which are not part of a ratio. */
  readonly peerRounds: number;
  /** How much a round carries, by the size of its writes. */
  readonly bytes: Readonly<Record<ByteSize, number>>;
  /** Ping-pong: rounds, and round trips in each. */
  readonly tripRounds: number;
  readonly trips: number;
  /** Cuts of an idle connection. */
  readonly pauses: number;
  readonly pausesAt60Ms: number;
  /** Cuts while numbered messages go both ways, each library and each kind. */
  readonly talkCuts: number;
  /** Cuts while both directions are full. */
  readonly fullSpeedCuts: number;
  readonly idleSessions: number;
}

/** Sizes of writes, as they stand in the names of figures. */
export type ByteSize = "64k" | "1k" | "64b";

/** The same in bytes. */
export const SIZES: Readonly<Record<ByteSize, number>> = {
  "64k": 64 * 1024,
  "1k": 1024,
  "64b": 64,
};

/** Tells what was found so far; stdout is for the last line. */
export function progress(line: string): void {
  console.error(line);
}

/** One line of progress with the middle and the ends of what was measured. */
export function progressOf(
  name: string,
  values: readonly number[],
  unit: string,
): void {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? NaN;
  const least = sorted[0] ?? NaN;
  const most = sorted.at(-1) ?? NaN;
  progress(
    `${name.padEnd(34)} ${String(round(middle)).padStart(8)} ${unit}` +
      `  (${round(least)} to ${round(most)}, ${values.length} rounds)`,
  );
}
