/** Numbers as people read them. */

/** Bytes, in decimal units. */
export function bytes(n: number): string {
  if (n < 1_000) return `${Math.round(n)} B`;
  if (n < 1_000_000) return `${(n / 1e3).toFixed(0)} kB`;
  if (n < 1_000_000_000) return `${(n / 1e6).toFixed(n < 1e8 ? 1 : 0)} MB`;
  return `${(n / 1e9).toFixed(2)} GB`;
}

/** A duration in milliseconds. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${
    Math.floor(ms / 1000 % 60).toString().padStart(2, "0")
  } s`;
}

/** When something happened, since the run began. */
export function clock(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  return `${minutes}:${(ms / 1000 % 60).toFixed(1).padStart(4, "0")}`;
}

/** The least round number that is not below another one: 1, 2 or 5, and zeros. */
export function roundUp(n: number): number {
  if (n <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(n));
  const step = [1, 2, 5, 10].find((one) => n <= one * power * 1.0001)!;
  return step * power;
}
