import { type Bytes, toHex } from "./_bytes.ts";
import { EPOCH_BYTES } from "./_handshake.ts";
import { LruMap } from "./_lru.ts";
import { OrderedGate } from "./_ordered_gate.ts";
import { rankFor } from "./_ranking.ts";
import { RouteHealth } from "./_route_health.ts";

const LANES_MAX = 1024;

/** One peer and one epoch of ours: a sequence of its own. */
export interface Lane {
  readonly peer: string;
  readonly epoch: Bytes;
  /** Unique, for maps. */
  readonly name: string;
  /** The peer's brokers in the order of its id; empty until they are known. */
  ranked: readonly string[];
  /** Resolves when they are. */
  readonly ready: Promise<void>;
  readonly health: RouteHealth;
  /** How many messages wait for it. */
  deferred: number;
  /** The number used last; taken before anything waits. */
  sequence: number;
  /** The place of the ordered message sent last. */
  place: number;
  /** Lets ordered messages go. */
  readonly gate: OrderedGate;
  /** Places of ordered messages that are still under way, or wait for it. */
  readonly open: Set<number>;
  /** The name of the large message sent last. */
  whole: number;
  /** When something was first sent that the peer has not acknowledged yet. */
  waitingSince: number;
}

/** The name of the lane in which an acknowledgement looks. */
export function laneName(peer: string, epoch: string): string {
  return `${peer} ${epoch}`;
}

/** The lanes to the peers written to last. */
export class Lanes {
  readonly #lanes: LruMap<string, Lane> = new LruMap(LANES_MAX);
  readonly #brokers: readonly string[];

  constructor(brokers: readonly string[]) {
    this.#brokers = brokers;
  }

  /** The lane to a peer, whose id has been checked. */
  to(peer: string): Lane {
    let lane = this.#lanes.get(peer);
    if (lane === undefined) {
      // A new epoch whenever the count starts again, also after this lane was
      // forgotten for others: no number ever names two messages.
      const epoch = crypto.getRandomValues(new Uint8Array(EPOCH_BYTES));
      const ranking = rankFor(peer, this.#brokers);
      const made: Lane = {
        peer,
        epoch,
        name: laneName(peer, toHex(epoch)),
        ranked: [],
        ready: ranking.then((ranked) => void (made.ranked = ranked)),
        health: new RouteHealth(),
        deferred: 0,
        sequence: 0,
        place: 0,
        gate: new OrderedGate(),
        open: new Set(),
        whole: 0,
        waitingSince: Infinity,
      };
      lane = made;
      this.#lanes.set(peer, lane);
    }
    return lane;
  }

  /** The lane to a peer, if something was sent there. */
  find(peer: string): Lane | undefined {
    return this.#lanes.get(peer);
  }
}

/** Below this place of a lane nothing comes any more. */
export function floorOf(lane: Lane): number {
  let floor = lane.place;
  for (const place of lane.open) floor = Math.min(floor, place);
  return Math.max(1, floor);
}
