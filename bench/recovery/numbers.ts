/** What one part of the bench found. */
export interface Part {
  readonly figures: Record<string, number>;
  readonly peers?: Record<string, number>;
}

/** The value below which so many of a hundred lie. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const index = Math.ceil(sorted.length * percent / 100) - 1;
  return round(sorted[Math.max(0, index)] ?? NaN);
}

/** Three digits are enough. */
export function round(value: number): number {
  return Number(value.toPrecision(3));
}

/** How long something takes, and no longer than the cap, in milliseconds. */
export async function timed(
  run: (signal: AbortSignal) => Promise<unknown>,
  capMs: number,
): Promise<number> {
  const from = performance.now();
  try {
    await run(AbortSignal.timeout(capMs));
    return performance.now() - from;
  } catch {
    return Math.max(capMs, performance.now() - from);
  }
}
