/** Secrets by which peers are told apart beyond their user id. */
import { createHash, timingSafeEqual } from "node:crypto";

/** The longest token. */
export const TOKEN_BYTES_MAX = 1024;

/** A token as bytes. */
export function tokenBytes(token: Uint8Array | string | undefined): Uint8Array {
  const bytes = typeof token === "string"
    ? new TextEncoder().encode(token)
    : token ?? new Uint8Array();
  if (bytes.byteLength <= TOKEN_BYTES_MAX) return bytes;
  throw new RangeError(
    `Cannot use a token of ${bytes.byteLength} bytes: at most ${TOKEN_BYTES_MAX}: 32 random bytes are enough`,
  );
}

/**
 * Whether two tokens are equal, in a time that tells neither where they differ
 * nor how long the right one is.
 */
export function sameToken(given: Uint8Array, right: Uint8Array): boolean {
  const hash = (bytes: Uint8Array): Uint8Array =>
    createHash("sha256").update(bytes).digest();
  return timingSafeEqual(hash(given), hash(right));
}
