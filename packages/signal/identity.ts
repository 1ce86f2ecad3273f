import { type Bytes, fromBase64Url, toBase64Url } from "./_bytes.ts";
import { type KeyFault, montgomeryFromEdwards } from "./_curve.ts";
import { LruMap } from "./_lru.ts";
import {
  ed25519PrivateKey,
  ed25519PublicKey,
  x25519PrivateKey,
} from "./_keys.ts";

const SEED_BYTES = 32;

// So that a secret is never taken for a peer id, which is 43 characters too:
// importing somebody's id as a seed would make an identity without a secret.
const SECRET_PREFIX = "holdfast-secret-1:";

/**
 * Who this end is. It holds a private key that no property, `console.log` or
 * `JSON.stringify` shows; only {@linkcode exportIdentity} gives it out.
 */
export interface Identity {
  /** The Ed25519 public key as unpadded base64url: 43 characters. */
  readonly id: string;
}

interface Secrets {
  readonly seed: Bytes;
  readonly x25519: CryptoKey;
  readonly ed25519: CryptoKey;
}

// Beside the object rather than in it: nothing that walks objects (inspect,
// JSON, structuredClone, a spread) can reach the keys.
const secrets = new WeakMap<Identity, Secrets>();

class HeldIdentity implements Identity {
  readonly id: string;
  constructor(id: string) {
    this.id = id;
  }
  toJSON(): { id: string } {
    return { id: this.id };
  }
  [Symbol.for("Deno.customInspect")](): string {
    return `Identity { id: "${this.id}" }`;
  }
}

/**
 * Makes a new identity from 32 random bytes.
 *
 * ```ts
 * import { createIdentity } from "@holdfast/signal";
 * import { assertMatch } from "@std/assert";
 *
 * const identity = await createIdentity();
 * assertMatch(identity.id, /^[A-Za-z0-9_-]{43}$/);
 * ```
 */
export function createIdentity(): Promise<Identity> {
  return importIdentity(crypto.getRandomValues(new Uint8Array(SEED_BYTES)));
}

/**
 * Makes the identity of a secret: what {@linkcode exportIdentity} gave, or the
 * 32 bytes of an Ed25519 seed (RFC 8032 §5.1.5).
 *
 * @throws {TypeError} When the text is no exported secret.
 * @throws {RangeError} When there are not 32 bytes.
 */
export async function importIdentity(
  secret: Uint8Array | string,
): Promise<Identity> {
  // A copy: the caller may wipe its own bytes.
  const seed = typeof secret === "string"
    ? seedFromText(secret)
    : Uint8Array.from(secret);
  if (seed.length !== SEED_BYTES) {
    throw new RangeError(
      `Cannot import identity: the seed has ${seed.length} bytes: pass ${SEED_BYTES}`,
    );
  }
  const [publicKey, x25519, ed25519] = await Promise.all([
    ed25519PublicKey(seed),
    x25519PrivateKey(seed),
    ed25519PrivateKey(seed),
  ]);
  const identity = new HeldIdentity(toBase64Url(publicKey));
  secrets.set(identity, { seed, x25519, ed25519 });
  return Object.freeze(identity);
}

/**
 * The secret of an identity as text, for {@linkcode importIdentity}. Keep it
 * as you keep a private key: who has it is this identity.
 *
 * ```ts
 * import { createIdentity, exportIdentity, importIdentity } from "@holdfast/signal";
 * import { assertEquals } from "@std/assert";
 *
 * const identity = await createIdentity();
 * const again = await importIdentity(exportIdentity(identity));
 * assertEquals(again.id, identity.id);
 * ```
 *
 * @throws {TypeError} When it is no identity of this package.
 */
export function exportIdentity(identity: Identity): string {
  return SECRET_PREFIX + toBase64Url(secretsOf(identity, "export").seed);
}

/** The X25519 private key, for sealing; it cannot be exported. */
export function privateKeyOf(identity: Identity): CryptoKey {
  return secretsOf(identity, "use").x25519;
}

/** Signs with Ed25519 (RFC 8032). */
export async function signAs(
  identity: Identity,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Bytes> {
  const { ed25519 } = secretsOf(identity, "use");
  return new Uint8Array(await crypto.subtle.sign("Ed25519", ed25519, bytes));
}

/** Whether a signature is of that peer, whose id has been checked. */
export async function isSignedBy(
  peerId: string,
  signature: Bytes,
  bytes: Bytes,
): Promise<boolean> {
  const key = await crypto.subtle.importKey(
    "raw",
    fromBase64Url(peerId)!,
    "Ed25519",
    false,
    ["verify"],
  );
  return await crypto.subtle.verify("Ed25519", key, signature, bytes);
}

/**
 * The X25519 public key of a peer.
 *
 * @throws {TypeError} When the id is not the text of a usable public key.
 */
export function publicKeyOf(peerId: string): Bytes {
  let key = publicKeys.get(peerId);
  if (key === undefined) {
    key = convert(peerId);
    publicKeys.set(peerId, key);
  }
  return key;
}

// Each costs a millisecond of big numbers, and every send asks for one.
const publicKeys = new LruMap<string, Bytes>(1024);

function convert(peerId: string): Bytes {
  const bytes = fromBase64Url(peerId);
  if (bytes === undefined || peerId.length !== 43) {
    throw new TypeError(
      `Cannot use peer id ${
        JSON.stringify(peerId)
      }: it is not 43 characters of base64url: pass the other end's identity.id`,
    );
  }
  const key = montgomeryFromEdwards(bytes);
  if (typeof key === "string") {
    throw new TypeError(
      `Cannot use peer id "${peerId}": ${
        FAULTS[key]
      }: pass the other end's identity.id`,
    );
  }
  return key;
}

const FAULTS: Record<KeyFault, string> = {
  length: "it is not a key of 32 bytes",
  "low-order": "it is a key of low order, which has no secret",
  "non-canonical": "it is not the canonical form of a key",
  "off-curve": "it is no point of the curve",
};

function seedFromText(text: string): Bytes {
  const seed = text.startsWith(SECRET_PREFIX)
    ? fromBase64Url(text.slice(SECRET_PREFIX.length))
    : undefined;
  if (seed === undefined) {
    // The text is not shown: it may be a secret with one wrong character.
    throw new TypeError(
      `Cannot import identity: the text is no exported secret: pass what exportIdentity() gave, which starts with "${SECRET_PREFIX}"`,
    );
  }
  return seed;
}

function secretsOf(identity: Identity, verb: string): Secrets {
  const found = secrets.get(identity);
  if (found === undefined) {
    throw new TypeError(
      `Cannot ${verb} identity: it holds no key: pass what createIdentity() or importIdentity() gave`,
    );
  }
  return found;
}
