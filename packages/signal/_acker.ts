import { TokenBucket } from "./_bucket.ts";
import type { Bytes } from "./_bytes.ts";
import type { Session } from "./_sessions.ts";
import { TaskSet } from "./_tasks.ts";
import { dayOf, inboxTopic } from "./_topics.ts";
import type { ReplayWindow } from "./_window.ts";

// A message seen again this soon is a copy by another broker, and not a
// repetition for want of an acknowledgement.
const COPY_MS = 15;
const RECENT_MAX = 4096;
/** Past so many in a second those of one session wait for each other. */
const PACE_BURST = 32;
const PACE_PER_SECOND = 500;
const PACE_MS = 2;

interface Due {
  readonly brokers: Set<string>;
}

/**
 * Acknowledges what was delivered. An acknowledgement holds the whole window,
 * so that none must arrive: the next one says it all again, and a copy that
 * comes for want of one is acknowledged at once. It goes back by the broker
 * that carried the message, since that one works in this moment.
 */
export class Acker {
  /** Frames handed to brokers. */
  frames = 0;
  readonly #publish: (broker: string, topic: string, frame: Bytes) => boolean;
  readonly #due: Map<Session, Due> = new Map();
  // When each was acknowledged, oldest first. It saves traffic and decides
  // nothing: what is forgotten is acknowledged once more.
  readonly #recent: Map<string, number> = new Map();
  readonly #pace: TokenBucket = new TokenBucket(PACE_BURST, PACE_PER_SECOND);
  readonly #tasks: TaskSet = new TaskSet();
  #closed = false;

  constructor(
    publish: (broker: string, topic: string, frame: Bytes) => boolean,
  ) {
    this.#publish = publish;
  }

  /** Acknowledges a message; `again` when it was delivered before. */
  acknowledge(
    session: Session,
    window: ReplayWindow,
    broker: string,
    sequence: number,
    again: boolean,
  ): void {
    if (this.#closed) return;
    const { peer, secrets: { peerEpoch } } = session;
    const name = `${peer} ${peerEpoch} ${sequence}`;
    const now = performance.now();
    if (again && this.#isRecent(name, now)) return;
    this.#remember(name, now);
    const due = this.#due.get(session);
    if (due !== undefined) {
      due.brokers.add(broker);
      return;
    }
    const started: Due = { brokers: new Set([broker]) };
    this.#due.set(session, started);
    this.#tasks.run(() => this.#send(session, window, started));
  }

  /** Takes nothing more; resolves once what is due has been handed over. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tasks.idle();
  }

  async #send(
    session: Session,
    window: ReplayWindow,
    due: Due,
  ): Promise<void> {
    while (due.brokers.size > 0) {
      const brokers = [...due.brokers];
      due.brokers.clear();
      const frame = await session.seal(
        "ack",
        session.nextAck(),
        window.toBytes(),
        performance.now(),
      );
      const topic = session.peerListens
        ? await session.outTopic(Date.now())
        : await inboxTopic(session.peer, dayOf(Date.now()));
      for (const broker of brokers) {
        if (this.#publish(broker, topic, frame)) this.frames++;
      }
      // What comes meanwhile goes together in the next.
      if (!this.#closed && !this.#pace.take(performance.now())) {
        await new Promise((resolve) => setTimeout(resolve, PACE_MS));
      }
    }
    this.#due.delete(session);
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
