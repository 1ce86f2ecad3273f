import { type Bytes, toHex } from "./_bytes.ts";
import type { FrameKind } from "./_frame.ts";
import type { Keyring } from "./_keyring.ts";
import { LruMap } from "./_lru.ts";
import { inboxTopic, seal } from "./_seal.ts";

const LANES_MAX = 1024;

/** One peer and one epoch of ours: a sequence, and keys, of its own. */
export interface Lane {
  readonly peer: string;
  readonly epoch: string;
  /** Unique, for maps. */
  readonly name: string;
  /** Where the peer listens. */
  readonly topic: Promise<string>;
  /** The number used last; taken before anything waits. */
  readonly last: Record<FrameKind, number>;
  readonly keys: Partial<Record<FrameKind, Promise<CryptoKey>>>;
}

/** The name of the lane in which an acknowledgement looks. */
export function laneName(peer: string, epoch: string): string {
  return `${peer} ${epoch}`;
}

/** The lanes to the peers written to last, and the sealing in them. */
export class Lanes {
  readonly #lanes: LruMap<string, Lane> = new LruMap(LANES_MAX);
  readonly #keyring: Keyring;

  constructor(keyring: Keyring) {
    this.#keyring = keyring;
  }

  /** The lane to a peer, whose id has been checked. */
  to(peer: string): Lane {
    let lane = this.#lanes.get(peer);
    if (lane === undefined) {
      // A new epoch whenever the count starts again, also after this lane was
      // forgotten for others: a key must never meet the same number twice.
      const epoch = toHex(crypto.getRandomValues(new Uint8Array(8)));
      lane = {
        peer,
        epoch,
        name: laneName(peer, epoch),
        topic: inboxTopic(peer),
        last: { data: 0, ack: 0 },
        keys: {},
      };
      this.#lanes.set(peer, lane);
    }
    return lane;
  }

  /** Seals with the next number of the lane, or with one taken before. */
  async seal(
    lane: Lane,
    kind: FrameKind,
    sequence: number,
    content: Bytes,
  ): Promise<Bytes> {
    lane.keys[kind] ??= this.#keyring.sealing(lane.peer, kind, lane.epoch);
    const { epoch } = lane;
    const header = { kind, sender: this.#keyring.id, epoch, sequence };
    return await seal(await lane.keys[kind], header, content);
  }
}
