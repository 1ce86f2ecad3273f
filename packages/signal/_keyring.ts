import type { FrameHeader, FrameKind } from "./_frame.ts";
import { LruMap } from "./_lru.ts";
import { agree, deriveKey, type KeyUse } from "./_seal.ts";
import type { Identity } from "./identity.ts";

const PEERS_MAX = 1024;
const KEYS_MAX = 2048;

/** A key to open with, and what must be proven before it is remembered. */
export interface OpeningKey {
  readonly key: CryptoKey;
  /** Keeps it: the frame was authentic. */
  keep(): void;
}

/**
 * The keys that this end shares with its peers. Nothing is remembered of a
 * sender until one of its frames was authentic: names can be made up for free.
 */
export class Keyring {
  readonly #identity: Identity;
  readonly #shared: LruMap<string, Promise<CryptoKey>> = new LruMap(PEERS_MAX);
  readonly #opening: LruMap<string, CryptoKey> = new LruMap(KEYS_MAX);
  // Senders being proven right now: the frames of a burst share the costly
  // part. Each entry lives for as long as the frame that made it.
  readonly #proving: Map<string, Promise<CryptoKey>> = new Map();

  constructor(identity: Identity) {
    this.#identity = identity;
  }

  /** The id of this end. */
  get id(): string {
    return this.#identity.id;
  }

  /** Whether opening a frame of this sender takes no key agreement (about 1 ms). */
  isCheap(sender: string): boolean {
    return this.#shared.has(sender) || this.#proving.has(sender);
  }

  /** The key to seal with for a peer of this end's own choice. */
  async sealing(
    recipient: string,
    kind: FrameKind,
    epoch: string,
  ): Promise<CryptoKey> {
    let shared = this.#shared.get(recipient);
    if (shared === undefined) {
      shared = agree(this.#identity, recipient);
      this.#shared.set(recipient, shared);
    }
    const sender = this.#identity.id;
    return await deriveKey(await shared, { kind, sender, recipient, epoch });
  }

  /**
   * The key to open a frame with.
   *
   * @throws {TypeError} When its sender is no usable public key.
   */
  async opening(header: FrameHeader): Promise<OpeningKey> {
    const { kind, sender, epoch } = header;
    const use: KeyUse = { kind, sender, recipient: this.#identity.id, epoch };
    const name = `${kind} ${sender} ${epoch}`;
    const known = this.#opening.get(name);
    if (known !== undefined) return { key: known, keep() {} };
    const shared = this.#shared.get(sender) ?? this.#prove(sender);
    const key = await deriveKey(await shared, use);
    return {
      key,
      keep: () => {
        this.#shared.set(sender, shared);
        this.#opening.set(name, key);
      },
    };
  }

  /** Forgets that a sender is being proven; whoever shares it goes on. */
  proved(sender: string): void {
    this.#proving.delete(sender);
  }

  #prove(sender: string): Promise<CryptoKey> {
    let shared = this.#proving.get(sender);
    if (shared === undefined) {
      shared = agree(this.#identity, sender);
      this.#proving.set(sender, shared);
    }
    return shared;
  }
}
