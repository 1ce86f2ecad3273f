/** How much memory a process uses once its garbage is gone. */

/** In bytes. */
export interface HeapUse {
  /** Objects, and memory outside the heap that they hold, such as buffers. */
  readonly held: number;
  /** What the system gave the process. */
  readonly rss: number;
}

/** Needs `--v8-flags=--expose-gc`. */
export async function heapUse(): Promise<HeapUse> {
  // More than once: what one collection finalizes, the next one frees.
  for (let i = 0; i < 4; i++) {
    (globalThis as unknown as { gc: () => void }).gc();
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  const { heapUsed, external, rss } = Deno.memoryUsage();
  return { held: heapUsed + external, rss };
}
