import { ACK_SEQUENCES_MAX, encodeAck, type FrameHeader } from "./_frame.ts";
import { type Lane, laneName, type Lanes } from "./_lanes.ts";
import { TaskSet } from "./_tasks.ts";

// A message seen again this soon is a copy by another broker, and not a
// repetition for want of an acknowledgement: those begin at 200 ms.
const COPY_MS = 100;
const RECENT_MAX = 4096;

/**
 * Acknowledges what was delivered, several numbers in a frame where they come
 * fast. Nothing here must arrive: a lost acknowledgement costs a repetition,
 * which the window drops and which is acknowledged again.
 */
export class Acker {
  /** Frames handed to brokers. */
  frames = 0;
  readonly #lanes: Lanes;
  readonly #publish: (topic: string, frame: Uint8Array) => number;
  readonly #waiting: Map<string, Set<number>> = new Map();
  // When each was acknowledged, oldest first. It saves traffic and decides
  // nothing: what is forgotten is acknowledged once more.
  readonly #recent: Map<string, number> = new Map();
  readonly #tasks: TaskSet = new TaskSet();
  #closed = false;

  constructor(
    lanes: Lanes,
    publish: (topic: string, frame: Uint8Array) => number,
  ) {
    this.#lanes = lanes;
    this.#publish = publish;
  }

  /** Acknowledges a message; `again` when it was delivered before. */
  acknowledge(header: FrameHeader, again: boolean): void {
    if (this.#closed) return;
    const { sender, epoch, sequence } = header;
    const name = laneName(sender, epoch);
    const now = performance.now();
    if (again && this.#isRecent(`${name} ${sequence}`, now)) return;
    this.#remember(`${name} ${sequence}`, now);
    const waiting = this.#waiting.get(name);
    if (waiting !== undefined) {
      waiting.add(sequence);
      return;
    }
    const sequences = new Set([sequence]);
    this.#waiting.set(name, sequences);
    this.#tasks.run(async () => {
      await this.#send(this.#lanes.to(sender), epoch, sequences);
      this.#waiting.delete(name);
    });
  }

  /** Takes nothing more; resolves once what is due has been handed over. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tasks.idle();
  }

  async #send(
    lane: Lane,
    epoch: string,
    waiting: Set<number>,
  ): Promise<void> {
    const topic = await lane.topic;
    while (waiting.size > 0) {
      const sequences = [...waiting].slice(0, ACK_SEQUENCES_MAX);
      for (const sequence of sequences) waiting.delete(sequence);
      const content = encodeAck({ epoch, sequences });
      // What comes while this one is being sealed goes together in the next.
      const frame = await this.#lanes.seal(
        lane,
        "ack",
        ++lane.last.ack,
        content,
      );
      if (this.#publish(topic, frame) > 0) this.frames++;
    }
  }

  #isRecent(key: string, now: number): boolean {
    return now - (this.#recent.get(key) ?? -Infinity) < COPY_MS;
  }

  #remember(key: string, now: number): void {
    this.#recent.delete(key);
    this.#recent.set(key, now);
    for (const [oldest, at] of this.#recent) {
      if (this.#recent.size <= RECENT_MAX && now - at < COPY_MS) break;
      this.#recent.delete(oldest);
    }
  }
}
