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

/** The key that signs, of a 32-byte seed. */
export async function ed25519PrivateKey(seed: Uint8Array): Promise<CryptoKey> {
  return await crypto.subtle.importKey(
    "pkcs8",
    pkcs8(OID_ED25519, seed),
    "Ed25519",
    false,
    ["sign"],
  );
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

/** An X25519 pair for one handshake. */
export interface EphemeralPair {
  readonly privateKey: CryptoKey;
  readonly publicKey: Bytes;
}

/** Makes a pair whose private half cannot be exported. */
export async function ephemeralPair(): Promise<EphemeralPair> {
  const pair = await crypto.subtle.generateKey("X25519", false, [
    "deriveBits",
  ]) as CryptoKeyPair;
  const raw = await crypto.subtle.exportKey("raw", pair.publicKey);
  return { privateKey: pair.privateKey, publicKey: new Uint8Array(raw) };
}

/**
 * What only the two of them can compute: 32 bytes, to be hashed before use.
 *
 * @throws {DOMException} When the public key is of low order.
 */
export async function sharedSecret(
  privateKey: CryptoKey,
  publicKey: Bytes,
): Promise<Bytes> {
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
  return new Uint8Array(bits);
}

/** HKDF-SHA-256 (RFC 5869). */
export async function hkdf(
  secret: Bytes,
  salt: Bytes,
  info: Bytes,
  length: number,
): Promise<Bytes> {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, [
    "deriveBits",
  ]);
  const bits = await crypto.subtle.deriveBits(
    { name: "HKDF", hash: "SHA-256", salt, info },
    key,
    8 * length,
  );
  return new Uint8Array(bits);
}

/** An AES-256-GCM key. */
export async function aesKey(bytes: Bytes): Promise<CryptoKey> {
  return await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, [
    "encrypt",
    "decrypt",
  ]);
}

/** Seals with AES-256-GCM; the nonce is four zero bytes and the number. */
export async function sealWith(
  key: CryptoKey,
  sequence: number,
  header: Bytes,
  content: Bytes,
): Promise<Bytes> {
  const sealed = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv: nonceOf(sequence), additionalData: header },
    key,
    content,
  );
  return concat(header, new Uint8Array(sealed));
}

/** What was sealed; `undefined` when it is not authentic. */
export async function openWith(
  key: CryptoKey,
  sequence: number,
  header: Bytes,
  sealed: Bytes,
): Promise<Bytes | undefined> {
  try {
    const content = await crypto.subtle.decrypt(
      { name: "AES-GCM", iv: nonceOf(sequence), additionalData: header },
      key,
      sealed,
    );
    return new Uint8Array(content);
  } catch {
    // WebCrypto says OperationError and nothing more, by design.
    return undefined;
  }
}

function nonceOf(sequence: number): Bytes {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setBigUint64(4, BigInt(sequence));
  return nonce;
}

function pkcs8(oid: number, privateKey: Uint8Array): Bytes {
  return concat(
    Uint8Array.from([...PKCS8_HEAD, oid, 4, 0x22, 4, 0x20]),
    privateKey,
  );
}
