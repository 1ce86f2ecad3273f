import { Bundler } from "./_bundler.ts";
import { split } from "./_chunks.ts";
import { CHUNK_BYTES, type Content, encodeContent } from "./_content.ts";
import type { Lanes } from "./_lanes.ts";
import type { Patience, Sender } from "./_sender.ts";

/** What is sealed is this much longer than its bytes, at the most. */
const HEAD_BYTES_MAX = 80;

/** Gives contents to the sender, in pieces where they are large. */
export class Postman {
  readonly #sender: Sender;
  readonly #lanes: Lanes;
  readonly #bundler: Bundler;

  constructor(sender: Sender, lanes: Lanes) {
    this.#sender = sender;
    this.#lanes = lanes;
    this.#bundler = new Bundler({
      submit: (...args) => sender.submit(...args),
      underWay: (peer) => sender.underWay(peer),
    });
  }

  /** Sends what waits to be sent together with more. */
  close(): void {
    this.#bundler.close();
  }

  /** Resolves when the peer has acknowledged all of it. */
  async submit(
    peer: string,
    content: Content,
    patience: Patience,
  ): Promise<void> {
    const length = "bytes" in content ? content.bytes.length : 0;
    if (length + HEAD_BYTES_MAX <= CHUNK_BYTES) {
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
    try {
      await this.submit(peer, content, patience);
    } catch (error) {
      lane.open.delete(place);
      this.#sender.raiseFloor(lane);
      throw error;
    }
    lane.open.delete(place);
  }
}
