const OFFSET = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;

/**
 * A short digest (FNV-1a, 64 bits) of what a rule says. It keeps two rules of
 * one program apart, and is no proof of anything: who takes a rule back
 * compares all of it.
 */
export function digestOf(parts: readonly string[]): string {
  let hash = OFFSET;
  for (const byte of new TextEncoder().encode(parts.join("\n"))) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * PRIME);
  }
  return hash.toString(16).padStart(16, "0");
}
