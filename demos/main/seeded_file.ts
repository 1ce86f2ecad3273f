/** A file that anybody with the seed can make again, and its hash. */
import { createHash } from "node:crypto";

const BLOCK_BYTES = 1024 * 1024;

/** Writes `bytes` bytes, a multiple of 1 MiB, that follow from the seed. */
export async function makeFile(
  path: string,
  bytes: number,
  seed: number,
): Promise<void> {
  using file = await Deno.open(path, {
    create: true,
    write: true,
    truncate: true,
  });
  const words = new Uint32Array(BLOCK_BYTES / 4);
  const block = new Uint8Array(words.buffer);
  // xorshift32: nothing that depends on it needs more than "not all alike".
  let x = seed >>> 0 || 1;
  for (let done = 0; done < bytes; done += BLOCK_BYTES) {
    for (let i = 0; i < words.length; i++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      words[i] = x;
    }
    for (let at = 0; at < block.length;) {
      at += await file.write(block.subarray(at));
    }
  }
}

/** The SHA-256 of a file, and its length; of nothing, where there is no file. */
export async function hashFile(
  path: string,
): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    using file = await Deno.open(path);
    const block = new Uint8Array(BLOCK_BYTES);
    for (let n; (n = await file.read(block)) !== null;) {
      hash.update(block.subarray(0, n));
      bytes += n;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return { sha256: hash.digest("hex"), bytes };
}
