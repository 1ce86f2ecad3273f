import { type Bytes, concat, fromBase64Url } from "./_bytes.ts";

// The beginning of PKCS #8 around a 32-byte private key (RFC 8410 §7), the
// only form in which WebCrypto takes one. The last byte of the object
// identifier tells the two curves apart.
const PKCS8_HEAD = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65];
const OID_X25519 = 0x6e;
const OID_ED25519 = 0x70;

/** The Ed25519 public key of a 32-byte seed (RFC 8032 §5.1.5). */
export async function ed25519PublicKey(seed: Uint8Array): Promise<Bytes> {
  const key = await crypto.subtle.importKey(
    "pkcs8",
    pkcs8(OID_ED25519, seed),
    "Ed25519",
    true,
    ["sign"],
  );
  // WebCrypto has no way from a private key to its public one but this.
  const { x } = await crypto.subtle.exportKey("jwk", key);
  return fromBase64Url(x!)!;
}

/**
 * The X25519 private key that belongs to the same seed: the first half of its
 * SHA-512, which is the scalar that Ed25519 itself uses. X25519 clamps it.
 */
export async function x25519PrivateKey(seed: Uint8Array): Promise<CryptoKey> {
  const hash = await crypto.subtle.digest("SHA-512", concat(seed));
  const scalar = new Uint8Array(hash, 0, 32);
  return await crypto.subtle.importKey(
    "pkcs8",
    pkcs8(OID_X25519, scalar),
    "X25519",
    false,
    ["deriveBits"],
  );
}

/** What only the two of them can compute, ready for HKDF. */
export async function sharedSecret(
  privateKey: CryptoKey,
  publicKey: Bytes,
): Promise<CryptoKey> {
  const key = await crypto.subtle.importKey(
    "raw",
    publicKey,
    "X25519",
    false,
    [],
  );
  const bits = await crypto.subtle.deriveBits(
    { name: "X25519", public: key },
    privateKey,
    256,
  );
  return await crypto.subtle.importKey("raw", bits, "HKDF", false, [
    "deriveKey",
  ]);
}

function pkcs8(oid: number, privateKey: Uint8Array): Bytes {
  return concat(
    Uint8Array.from([...PKCS8_HEAD, oid, 4, 0x22, 4, 0x20]),
    privateKey,
  );
}
