import { BUNDLE_HEAD_BYTES, type Content } from "./_content.ts";
import type { Patience } from "./_sender.ts";

/** With fewer packets under way to a peer each message goes by itself, at once. */
const BUSY_PACKETS = 4;
/** How long a message waits for others when there are more. */
const WAIT_MS = 2;
/** A bundle stays within the third of the four lengths of packets. */
const BUNDLE_BYTES_MAX = 3_900;
const BUNDLE_MAX = 64;

interface Waiting {
  readonly parts: Uint8Array[];
  readonly timeoutMs: number;
  bytes: number;
  readonly sent: PromiseWithResolvers<void>;
  timer: ReturnType<typeof setTimeout>;
}

/** What it needs of its owner. */
export interface BundlerOwner {
  readonly submit: (
    peer: string,
    content: Content,
    patience: Patience,
  ) => Promise<void>;
  /** How many packets to that peer wait for their acknowledgement. */
  readonly underWay: (peer: string) => number;
}

/**
 * Puts small messages to one peer together while there is much to do, so that
 * sealing and carrying them is paid for once.
 */
export class Bundler {
  readonly #owner: BundlerOwner;
  readonly #waiting: Map<string, Waiting> = new Map();

  constructor(owner: BundlerOwner) {
    this.#owner = owner;
  }

  /** Resolves when the peer has acknowledged it. */
  async submit(
    peer: string,
    bytes: Uint8Array,
    patience: Patience,
  ): Promise<void> {
    const { timeoutMs, signal } = patience;
    const before = this.#waiting.get(peer);
    const busy = before !== undefined ||
      this.#owner.underWay(peer) >= BUSY_PACKETS;
    // One that may be taken back alone goes alone.
    if (!busy || signal !== undefined || bytes.length > BUNDLE_BYTES_MAX / 2) {
      const content = { type: "message", bytes } as const;
      return await this.#owner.submit(peer, content, patience);
    }
    const size = bytes.length + BUNDLE_HEAD_BYTES;
    if (
      before !== undefined &&
      (before.timeoutMs !== timeoutMs ||
        before.bytes + size > BUNDLE_BYTES_MAX ||
        before.parts.length >= BUNDLE_MAX)
    ) this.#flush(peer);
    let waiting = this.#waiting.get(peer);
    if (waiting === undefined) {
      waiting = {
        ...{ parts: [], timeoutMs, bytes: 0 },
        sent: Promise.withResolvers<void>(),
        timer: setTimeout(() => this.#flush(peer), WAIT_MS),
      };
      this.#waiting.set(peer, waiting);
    }
    waiting.parts.push(bytes);
    waiting.bytes += size;
    await waiting.sent.promise;
  }

  /** Sends what waits; what is closed by then says so. */
  close(): void {
    for (const peer of [...this.#waiting.keys()]) this.#flush(peer);
  }

  #flush(peer: string): void {
    const waiting = this.#waiting.get(peer);
    if (waiting === undefined) return;
    this.#waiting.delete(peer);
    clearTimeout(waiting.timer);
    const { parts, timeoutMs, sent } = waiting;
    const content: Content = parts.length === 1
      ? { type: "message", bytes: parts[0]! }
      : { type: "bundle", parts };
    this.#owner.submit(peer, content, { timeoutMs, signal: undefined })
      .then(sent.resolve, sent.reject);
  }
}
