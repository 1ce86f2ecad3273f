import { type PresenceOwner, WatchedPeer } from "./_presence.ts";
import type { Presence, PresenceEvent } from "./presence.ts";

/** All peers whose presence is watched; several may watch the same one. */
export class PresenceBoard {
  readonly #watched: Map<string, Set<WatchedPeer>> = new Map();
  readonly #ask: PresenceOwner["ask"];
  readonly #emit: (event: PresenceEvent) => void;

  constructor(
    options: {
      readonly ask: PresenceOwner["ask"];
      readonly emit: (event: PresenceEvent) => void;
    },
  ) {
    this.#ask = options.ask;
    this.#emit = options.emit;
  }

  /** Starts to watch a peer, whose id has been checked. */
  watch(peer: string): Presence {
    const presence = new WatchedPeer(peer, {
      ask: this.#ask,
      emit: this.#emit,
      onEnd: (ended) => {
        const all = this.#watched.get(peer);
        all?.delete(ended);
        if (all?.size === 0) this.#watched.delete(peer);
      },
    });
    const all = this.#watched.get(peer) ?? new Set();
    this.#watched.set(peer, all.add(presence));
    return presence;
  }

  /** Something authentic came from a peer. */
  heard(peer: string): void {
    const now = performance.now();
    for (const presence of this.#watched.get(peer) ?? []) presence.heard(now);
  }

  /** A peer says that it closes. */
  saidBye(peer: string): void {
    for (const presence of this.#watched.get(peer) ?? []) presence.saidBye();
  }

  /** Ends all watching. */
  close(): void {
    for (const all of [...this.#watched.values()]) {
      for (const presence of [...all]) presence[Symbol.dispose]();
    }
  }
}
