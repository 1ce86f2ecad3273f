/**
 * The first bytes of a connection that goes the other way: the peer that
 * listens for streams makes it, to the one that asked for the stream, since
 * only that way round is open. 64 bytes:
 *
 * ```text
 * 0   8  "HFCALL1" and a zero
 * 8  16  which route of the receiver it is for
 * 24  8  a number that grows with each call, unsigned, big-endian
 * 32 32  HMAC-SHA-256 of the first 32 bytes under the key of the route
 * ```
 *
 * What follows is the resume protocol, the receiver being its client, which
 * proves both ends. The number and the code only keep strangers from making
 * the receiver try what leads nowhere.
 */

export const CALL_BYTES = 64;
const SIGNED_BYTES = 32;
const MAGIC = new TextEncoder().encode("HFCALL1\0");

/** What lets a peer call back on one route. */
export interface CallKey {
  /** 32 hexadecimal digits; sent in clear. */
  readonly id: string;
  /** 64 hexadecimal digits; never sent but sealed. */
  readonly key: string;
}

/** Whether bytes may become a call, as far as they go. */
export function mayBeCall(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.length, MAGIC.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== MAGIC[i]) return false;
  return true;
}

/** Writes one. */
export async function encodeCall(
  { id, key }: CallKey,
  number: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(CALL_BYTES);
  bytes.set(MAGIC);
  bytes.set(Uint8Array.fromHex(id), 8);
  new DataView(bytes.buffer).setBigUint64(24, BigInt(number));
  const signed = bytes.slice(0, SIGNED_BYTES);
  bytes.set(
    new Uint8Array(await crypto.subtle.sign("HMAC", await hmac(key), signed)),
    SIGNED_BYTES,
  );
  return bytes;
}

/** The id that a call names, and its number; to be checked by `isGenuine`. */
export function readCall(bytes: Uint8Array): { id: string; number: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    id: bytes.subarray(8, 24).toHex(),
    number: Number(view.getBigUint64(24)),
  };
}

/** Whether it was made with that key; in constant time. */
export async function isGenuine(
  bytes: Uint8Array<ArrayBuffer>,
  key: string,
): Promise<boolean> {
  return await crypto.subtle.verify(
    "HMAC",
    await hmac(key),
    bytes.slice(SIGNED_BYTES, CALL_BYTES),
    bytes.slice(0, SIGNED_BYTES),
  );
}

function hmac(key: string): Promise<CryptoKey> {
  return crypto.subtle.importKey(
    "raw",
    Uint8Array.fromHex(key),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign", "verify"],
  );
}
