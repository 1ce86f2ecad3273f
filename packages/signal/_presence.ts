import { Emitter, EventReader } from "@holdfast/events/emitter";
import type { Presence, PresenceEvent, PresenceStatus } from "./presence.ts";

/**
 * A sign of life is good for so long. Each is a sealed acknowledgement or
 * message of the peer itself: no broker can make one up, or say that it is gone.
 */
export const LEASE_MS = 50_000;
/** While it is online it is asked so often, if nothing else came from it. */
const ASK_MS = 20_000;
/** While it is not it is asked more and more rarely. */
const SEEK_FIRST_MS = 2_000;
const SEEK_MAX_MS = 30_000;

/** What it needs of its owner. */
export interface PresenceOwner {
  /** Asks the peer for a sign of life; resolves when it came. */
  readonly ask: (
    peer: string,
    timeoutMs: number,
    signal: AbortSignal,
  ) => Promise<void>;
  readonly emit: (event: PresenceEvent) => void;
  readonly onEnd: (presence: WatchedPeer) => void;
}

/** One peer whose presence somebody wants to know. */
export class WatchedPeer extends EventReader<PresenceEvent>
  implements Presence {
  readonly peer: string;
  status: PresenceStatus = "unknown";
  readonly #emitter: Emitter<PresenceEvent>;
  readonly #owner: PresenceOwner;
  readonly #ending: AbortController = new AbortController();
  #heardAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wake: () => void = () => {};

  constructor(peer: string, owner: PresenceOwner) {
    const emitter = new Emitter<PresenceEvent>();
    super(emitter);
    this.#emitter = emitter;
    this.peer = peer;
    this.#owner = owner;
    void this.#seek();
  }

  /** Something authentic came from the peer. */
  heard(now: number): void {
    this.#heardAt = now;
    if (this.status === "online") return;
    this.status = "online";
    const { peer } = this;
    this.#tell({ type: "peer-online", peer, reason: "answered" });
    this.#watchLease();
  }

  /** The peer closes. */
  saidBye(): void {
    this.#goOffline("said-bye");
  }

  [Symbol.dispose](): void {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort(new DOMException("The watch has ended", "AbortError"));
    clearTimeout(this.#timer);
    this.#emitter[Symbol.dispose]();
    this.#owner.onEnd(this);
  }

  /** Asks for as long as it is watched. */
  async #seek(): Promise<void> {
    const { signal } = this.#ending;
    let waitMs = SEEK_FIRST_MS;
    while (!signal.aborted) {
      const sinceMs = performance.now() - this.#heardAt;
      if (sinceMs < ASK_MS) {
        await this.#pause(ASK_MS - sinceMs);
        continue;
      }
      const online = this.status === "online";
      // Asked within the lease, so that one lost answer does not end it.
      const timeoutMs = online ? ASK_MS : waitMs;
      try {
        await this.#owner.ask(this.peer, timeoutMs, signal);
        waitMs = SEEK_FIRST_MS;
        if (this.#heardAt === -Infinity) this.heard(performance.now());
      } catch {
        if (signal.aborted) return;
        if (!online) waitMs = Math.min(SEEK_MAX_MS, 2 * waitMs);
        await this.#pause(Math.min(waitMs, 1_000));
      }
    }
  }

  #watchLease(): void {
    clearTimeout(this.#timer);
    const leftMs = this.#heardAt + LEASE_MS - performance.now();
    if (leftMs <= 0) return this.#goOffline("lease-expired");
    this.#timer = setTimeout(() => this.#watchLease(), Math.ceil(leftMs));
  }

  #goOffline(reason: "said-bye" | "lease-expired"): void {
    clearTimeout(this.#timer);
    if (this.status === "offline" || this.#ending.signal.aborted) return;
    this.status = "offline";
    this.#heardAt = -Infinity;
    this.#tell({ type: "peer-offline", peer: this.peer, reason });
    // It may come back at once: look for it soon.
    this.#wake();
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#ending;
    await new Promise<void>((resolve) => {
      this.#wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", this.#wake);
        resolve();
      };
      const timer = setTimeout(this.#wake, ms);
      signal.addEventListener("abort", this.#wake, { once: true });
      if (signal.aborted) this.#wake();
    });
  }

  #tell(event: PresenceEvent): void {
    this.#emitter.emit(event);
    this.#owner.emit(event);
  }
}
