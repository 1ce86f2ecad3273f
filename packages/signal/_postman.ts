import { Bundler } from "./_bundler.ts";
import { split } from "./_chunks.ts";
import { CHUNK_BYTES, type Content, encodeContent } from "./_content.ts";
import type { Lane, Lanes } from "./_lanes.ts";
import { closedError, type Patience, type Sender } from "./_sender.ts";

/** What is sealed is this much longer than its bytes, at the most. */
const HEAD_BYTES_MAX = 80;

/** Gives contents to the sender, in pieces where they are large. */
export class Postman {
  readonly #sender: Sender;
  readonly #lanes: Lanes;
  readonly #bundler: Bundler;
  readonly #closing: AbortController = new AbortController();

  constructor(sender: Sender, lanes: Lanes) {
    this.#sender = sender;
    this.#lanes = lanes;
    this.#bundler = new Bundler({
      submit: (...args) => sender.submit(...args),
      underWay: (peer) => sender.underWay(peer),
    });
  }

  /** Sends what waits to be sent together with more, and lets nothing in. */
  close(): void {
    this.#closing.abort(closedError());
    this.#bundler.close();
  }

  /** Resolves when the peer has acknowledged all of it. */
  async submit(
    peer: string,
    content: Content,
    patience: Patience,
  ): Promise<void> {
    const length = "bytes" in content ? content.bytes.length : 0;
    if (!isLarge(length)) {
      if (content.type === "message") {
        return await this.#bundler.submit(peer, content.bytes, patience);
      }
      return await this.#sender.submit(peer, content, patience);
    }
    const lane = this.#lanes.to(peer);
    const chunks = split(++lane.whole, encodeContent(content));
    // One piece that is given up makes the others useless.
    const failed = new AbortController();
    const ends = patience.signal
      ? [patience.signal, failed.signal]
      : [failed.signal];
    const signal = AbortSignal.any(ends);
    try {
      await Promise.all(
        chunks.map((chunk) =>
          this.#sender.submit(peer, chunk, { ...patience, signal })
        ),
      );
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  }

  /** As {@linkcode submit}, in the next place of the lane. */
  async submitOrdered(
    peer: string,
    bytes: Uint8Array,
    patience: Patience,
  ): Promise<void> {
    const lane = this.#lanes.to(peer);
    const place = ++lane.place;
    lane.open.add(place);
    const content: Content = { type: "ordered", place, floor: 1, bytes };
    const large = isLarge(bytes.length);
    let entered = false;
    try {
      const leftMs = await this.#enter(lane, bytes.length, large, patience);
      entered = true;
      await this.submit(peer, content, { ...patience, timeoutMs: leftMs });
    } catch (error) {
      lane.open.delete(place);
      this.#sender.raiseFloor(lane);
      throw error;
    } finally {
      lane.open.delete(place);
      if (entered) lane.gate.leave(bytes.length, large);
    }
  }

  /** Waits for its turn; gives the time that is left then, in milliseconds. */
  async #enter(
    lane: Lane,
    bytes: number,
    large: boolean,
    { timeoutMs, signal }: Patience,
  ): Promise<number> {
    signal?.throwIfAborted();
    const from = performance.now();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let entered = false;
    const leave = lane.gate.queue(bytes, large, () => {
      entered = true;
      resolve();
    });
    if (entered) return timeoutMs;
    try {
      this.#sender.reserve(lane.peer, bytes);
    } catch (error) {
      leave();
      throw error;
    }
    const fail = (reason: unknown): void => {
      if (entered) return;
      leave();
      reject(reason);
    };
    const onAbort = (): void => fail(signal!.reason);
    const onClose = (): void => fail(this.#closing.signal.reason);
    const timer = setTimeout(
      () => fail(this.#sender.overdue(lane, timeoutMs)),
      timeoutMs,
    );
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#closing.signal.addEventListener("abort", onClose, { once: true });
    if (this.#closing.signal.aborted) onClose();
    try {
      await promise;
    } finally {
      this.#sender.unreserve(bytes);
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      this.#closing.signal.removeEventListener("abort", onClose);
    }
    return Math.max(1, Math.ceil(timeoutMs - (performance.now() - from)));
  }
}

/** Whether it goes in pieces. */
function isLarge(bytes: number): boolean {
  return bytes + HEAD_BYTES_MAX > CHUNK_BYTES;
}
