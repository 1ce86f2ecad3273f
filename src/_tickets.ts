/**
 * One-time keys that a peer gives out through signalling: who comes with one
 * is who asked for it. A ticket is sealed with a key that follows from the
 * peer's own identity, so that nothing must be remembered to read it: also the
 * next process of that peer, or one that starts after a crash, knows whose
 * session it is. Time and randomness are passed in.
 *
 * ```text
 * id:  0  1  version, 1
 *      1 12  nonce
 *     13  n  AES-256-GCM of: 8 expiry in ms since 1970, 32 peer id, name
 * key: HMAC-SHA-256 of the id
 * ```
 */
import { exportIdentity, type Identity } from "@holdfast/signal";

type Bytes = Uint8Array<ArrayBuffer>;

/** What a ticket says, as its issuer reads it. */
export interface Ticket {
  /** The id of the peer that it was given to. */
  readonly peer: string;
  /** The name of the stream. */
  readonly name: string;
  /** Until when it opens a session, on the clock of `Date.now()`. */
  readonly until: number;
}

const VERSION = 1;
const NONCE_BYTES = 12;
const HEAD_BYTES = 40;
/** How long a ticket opens a session, in milliseconds. */
export const TICKET_TTL_MS = 60_000;
/** How many used tickets are remembered until they are over. */
export const USED_MAX = 4096;
/** How long the name of a stream may be, in bytes. */
export const NAME_BYTES_MAX = 64;

/** The tickets of one peer. */
export class Tickets {
  readonly #sealing: CryptoKey;
  readonly #signing: CryptoKey;
  readonly #used = new Map<string, number>();

  private constructor(sealing: CryptoKey, signing: CryptoKey) {
    this.#sealing = sealing;
    this.#signing = signing;
  }

  /** Those of an identity: the same in every process that has it. */
  static async of(identity: Identity): Promise<Tickets> {
    const secret = new TextEncoder().encode(exportIdentity(identity));
    const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, [
      "deriveKey",
    ]);
    const hkdf = (info: string) => ({
      name: "HKDF",
      hash: "SHA-256",
      salt: new Uint8Array(0),
      info: new TextEncoder().encode(`holdfast ticket 1 ${info}`),
    });
    const [sealing, signing] = await Promise.all([
      crypto.subtle.deriveKey(
        hkdf("seal"),
        base,
        { name: "AES-GCM", length: 256 },
        false,
        ["encrypt", "decrypt"],
      ),
      crypto.subtle.deriveKey(
        hkdf("key"),
        base,
        { name: "HMAC", hash: "SHA-256", length: 256 },
        false,
        ["sign"],
      ),
    ]);
    return new Tickets(sealing, signing);
  }

  /** Makes one; `nonce` has 12 random bytes. */
  async issue(
    peer: string,
    name: string,
    nonce: Bytes,
    now: number,
  ): Promise<{ readonly id: Bytes; readonly key: Bytes }> {
    const text = new TextEncoder().encode(name);
    const plain = new Uint8Array(HEAD_BYTES + text.length);
    new DataView(plain.buffer).setBigUint64(0, BigInt(now + TICKET_TTL_MS));
    plain.set(Uint8Array.fromBase64(peer, { alphabet: "base64url" }), 8);
    plain.set(text, HEAD_BYTES);
    const sealed = new Uint8Array(
      await crypto.subtle.encrypt(
        { name: "AES-GCM", iv: nonce },
        this.#sealing,
        plain,
      ),
    );
    const id = new Uint8Array(1 + NONCE_BYTES + sealed.length);
    id[0] = VERSION;
    id.set(nonce, 1);
    id.set(sealed, 1 + NONCE_BYTES);
    return { id, key: await this.#keyOf(id) };
  }

  /** What the id of a ticket says, however old; `undefined` for other bytes. */
  async read(id: Bytes): Promise<Ticket | undefined> {
    if (id[0] !== VERSION || id.length < 1 + NONCE_BYTES + HEAD_BYTES) {
      return undefined;
    }
    try {
      const plain = new Uint8Array(
        await crypto.subtle.decrypt(
          { name: "AES-GCM", iv: id.slice(1, 1 + NONCE_BYTES) },
          this.#sealing,
          id.slice(1 + NONCE_BYTES),
        ),
      );
      return {
        peer: plain.subarray(8, HEAD_BYTES)
          .toBase64({ alphabet: "base64url", omitPadding: true }),
        name: new TextDecoder().decode(plain.subarray(HEAD_BYTES)),
        until: Number(new DataView(plain.buffer).getBigUint64(0)),
      };
    } catch {
      return undefined; // Another identity made it, or it was changed.
    }
  }

  /** The key of a ticket that may still open a session. */
  async keyFor(id: Bytes, now: number): Promise<Bytes | undefined> {
    const ticket = await this.read(id);
    if (ticket === undefined || ticket.until <= now) return undefined;
    return this.#used.has(id.toHex()) ? undefined : await this.#keyOf(id);
  }

  /**
   * Uses a ticket up. When too many are remembered, the oldest is forgotten: it
   * could open another stream, of the peer that has it, and of no other.
   *
   * @returns Whether it was unused.
   */
  redeem(id: Bytes, until: number, now: number): boolean {
    const text = id.toHex();
    if (this.#used.has(text)) return false;
    for (const [old, end] of this.#used) {
      if (end > now && this.#used.size < USED_MAX) break;
      this.#used.delete(old);
    }
    this.#used.set(text, until);
    return true;
  }

  /** Whether it was used up. */
  used(id: Bytes): boolean {
    return this.#used.has(id.toHex());
  }

  async #keyOf(id: Bytes): Promise<Bytes> {
    return new Uint8Array(await crypto.subtle.sign("HMAC", this.#signing, id));
  }
}
