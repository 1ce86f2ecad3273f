import type { Bytes } from "./_bytes.ts";

// RFC 8032 §5.1: the field and the curve constant d = -121665/121666.
const P = 2n ** 255n - 19n;
const D =
  37095705934669439343138083508754565189542113879843219016388785533085940283555n;
const SIGN_BIT = 2n ** 255n;

/** The y of the points of order 8; the other one is its negative. */
const ORDER_8_Y =
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;

/**
 * The y coordinates of the eight points of low order. Such a key has no
 * secret: anyone can "sign" for it, and every secret shared with it is public.
 * Deno's and Node's Ed25519 take them without a word, so the list is ours.
 */
const LOW_ORDER_Y: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  P - 1n,
  ORDER_8_Y,
  P - ORDER_8_Y,
]);

/** Why 32 bytes are no public key to talk to. */
export type KeyFault = "length" | "low-order" | "non-canonical" | "off-curve";

/**
 * The X25519 public key of an Ed25519 public key: u = (1 + y) / (1 - y), the
 * map of RFC 7748 §4.1. The one who has the seed gets the matching private key
 * from it, see `x25519PrivateKey` in `_keys.ts`.
 */
export function montgomeryFromEdwards(key: Uint8Array): Bytes | KeyFault {
  if (key.length !== 32) return "length";
  const y = littleEndian(key) & (SIGN_BIT - 1n);
  if (y >= P) return "non-canonical";
  if (LOW_ORDER_Y.has(y)) return "low-order";
  const y2 = (y * y) % P;
  // x² = (y² - 1) / (d y² + 1) must be a square; a product is one when the
  // quotient is, and saves an inversion (Euler's criterion).
  if (power((y2 - 1n + P) * (D * y2 + 1n), (P - 1n) / 2n) !== 1n) {
    return "off-curve";
  }
  const u = ((1n + y) * power(1n - y + P, P - 2n)) % P;
  return toLittleEndian(u);
}

// Public values only: none of this runs in constant time.
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base % P;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % P;
    square = (square * square) % P;
  }
  return result;
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes.toReversed()) value = (value << 8n) | BigInt(byte);
  return value;
}

function toLittleEndian(value: bigint): Bytes {
  const bytes = new Uint8Array(32);
  for (let i = 0; i < 32; i++) {
    bytes[i] = Number((value >> BigInt(8 * i)) & 255n);
  }
  return bytes;
}
