/**
 * The keys of a session: an X25519 agreement (RFC 7748), mixed with a
 * pre-shared key where there is one, through HKDF-SHA-256 (RFC 5869). Proofs
 * are HMAC-SHA-256 with one key a direction and a label a message, so that no
 * message can be reflected or pass for another.
 */
import { type Bytes, MAC_BYTES, withoutMac } from "./_records.ts";

/** What each proof says, and who says it. */
export type ProofLabel =
  | "client confirm"
  | "client resume"
  | "server denied"
  | "server gone"
  | "server resumed"
  | "server stale"
  | "server welcome";

/**
 * What proves a session: 64 bytes, the client's proof key, then the server's.
 * Never leaves memory but in a snapshot. Kept bare, and made a key for each
 * proof: a pair of keys that are ready takes 5 KB, more than all the rest of an
 * idle session, and is wanted once in its life for each broken connection.
 */
export type SessionSecret = Bytes;

const PROOF_KEY_BYTES = 32;

const encoder = new TextEncoder();
const DERIVE_LABEL = encoder.encode("holdfast resume 1 keys");
const NEXT_LABEL = encoder.encode("holdfast resume 1 next");

/** A key pair for one handshake. */
export async function ephemeralKeys(): Promise<
  { readonly privateKey: CryptoKey; readonly publicKey: Bytes }
> {
  const pair = await crypto.subtle.generateKey("X25519", false, [
    "deriveBits",
  ]) as CryptoKeyPair;
  const raw = await crypto.subtle.exportKey("raw", pair.publicKey);
  return { privateKey: pair.privateKey, publicKey: new Uint8Array(raw) };
}

/**
 * The secret that both ends of a handshake share.
 *
 * @throws {DOMException} When the peer's key is of low order.
 */
export async function agree(
  privateKey: CryptoKey,
  peerKey: Bytes,
  presharedKey: Bytes | undefined,
  transcript: Bytes,
): Promise<SessionSecret> {
  const peer = await crypto.subtle.importKey(
    "raw",
    peerKey,
    "X25519",
    false,
    [],
  );
  const shared = await crypto.subtle.deriveBits(
    { name: "X25519", public: peer },
    privateKey,
    256,
  );
  const material = await crypto.subtle.importKey("raw", shared, "HKDF", false, [
    "deriveBits",
  ]);
  const digest = await crypto.subtle.digest("SHA-256", transcript);
  const secret = await crypto.subtle.deriveBits(
    {
      name: "HKDF",
      hash: "SHA-256",
      salt: presharedKey ?? new Uint8Array(32),
      info: concat(DERIVE_LABEL, new Uint8Array(digest)),
    },
    material,
    512,
  );
  return new Uint8Array(secret);
}

/**
 * The secret that replaces that of a session when it is resumed: who learns the
 * old one later cannot resume with it.
 */
export async function nextSecret(
  previous: SessionSecret,
  clientNonce: Bytes,
  serverNonce: Bytes,
): Promise<SessionSecret> {
  const material = await crypto.subtle.importKey(
    "raw",
    previous,
    "HKDF",
    false,
    ["deriveBits"],
  );
  const secret = await crypto.subtle.deriveBits(
    {
      name: "HKDF",
      hash: "SHA-256",
      salt: concat(clientNonce, serverNonce),
      info: NEXT_LABEL,
    },
    material,
    512,
  );
  return new Uint8Array(secret);
}

// The label says who proves: a key signs what its own side says and no more.
function proofKey(
  secret: SessionSecret,
  label: ProofLabel,
): Promise<CryptoKey> {
  const from = label.startsWith("client ") ? 0 : PROOF_KEY_BYTES;
  return crypto.subtle.importKey(
    "raw",
    secret.subarray(from, from + PROOF_KEY_BYTES),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign", "verify"],
  );
}

/** A proof over all that was said. */
export async function prove(
  secret: SessionSecret,
  label: ProofLabel,
  ...said: Bytes[]
): Promise<Bytes> {
  const key = await proofKey(secret, label);
  const message = concat(encoder.encode(label), ...said);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, message));
}

/** Puts the proof over `before` and all of a record into its last bytes. */
export async function sealRecord(
  bare: Bytes,
  secret: SessionSecret,
  label: ProofLabel,
  ...before: Bytes[]
): Promise<Bytes> {
  const mac = await prove(secret, label, ...before, withoutMac(bare));
  const sealed = bare.slice();
  sealed.set(mac, sealed.length - MAC_BYTES);
  return sealed;
}

/** Whether it is that proof; takes the same time whatever it is. */
export async function check(
  secret: SessionSecret,
  mac: Bytes,
  label: ProofLabel,
  ...said: Bytes[]
): Promise<boolean> {
  const key = await proofKey(secret, label);
  const message = concat(encoder.encode(label), ...said);
  return await crypto.subtle.verify("HMAC", key, mac, message);
}

/** Fresh random bytes. */
export function randomBytes(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** One array of several. */
export function concat(...parts: readonly Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
