/** Chunks of bytes. Pure. */

/** All chunks in one; `undefined` when there is none. */
export function join(
  chunks: readonly (Uint8Array | null | undefined)[],
): Uint8Array | undefined {
  const some = chunks.filter((chunk) => chunk instanceof Uint8Array);
  if (some.length === 0) return undefined;
  const total = some.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  const all = new Uint8Array(total);
  let at = 0;
  for (const chunk of some) {
    all.set(chunk, at);
    at += chunk.byteLength;
  }
  return all;
}
