import { TokenBucket } from "./_bucket.ts";
import type { Bytes } from "./_bytes.ts";
import type { Session } from "./_sessions.ts";
import { TaskSet } from "./_tasks.ts";
import { dayOf, inboxTopic } from "./_topics.ts";
import type { ReplayWindow } from "./_window.ts";

// A copy is acknowledged again this long after the last time at the earliest:
// one acknowledgement says it for all, and a broker that delivers a thousand
// copies must not be answered a thousand times.
const AGAIN_MS = 40;
/** Past so many in a second those of one session wait for each other. */
const PACE_BURST = 32;
const PACE_PER_SECOND = 500;
const PACE_MS = 2;

interface Due {
  readonly brokers: Set<string>;
  /** Ends the pause that it is in. */
  wake: () => void;
  /** Whether it waits for its turn again, and not for the pace. */
  patient: boolean;
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
  readonly #ackedAt: WeakMap<Session, number> = new WeakMap();
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
    again: boolean,
  ): void {
    if (this.#closed) return;
    const due = this.#due.get(session);
    if (due !== undefined) {
      due.brokers.add(broker);
      // What is new does not wait for the turn of what is not.
      if (!again && due.patient) due.wake();
      return;
    }
    const started: Due = {
      brokers: new Set([broker]),
      wake: () => {},
      patient: again,
    };
    this.#due.set(session, started);
    const waitMs = again
      ? (this.#ackedAt.get(session) ?? -Infinity) + AGAIN_MS -
        performance.now()
      : 0;
    this.#tasks.run(async () => {
      if (waitMs > 0) await this.#pause(waitMs, started);
      started.patient = false;
      await this.#send(session, window, started);
    });
  }

  /** Takes nothing more; resolves once what is due has been handed over. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const due of this.#due.values()) due.wake();
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
      this.#ackedAt.set(session, performance.now());
      for (const broker of brokers) {
        if (this.#publish(broker, topic, frame)) this.frames++;
      }
      // What comes meanwhile goes together in the next.
      if (!this.#closed && !this.#pace.take(performance.now())) {
        await this.#pause(PACE_MS, due);
      }
    }
    this.#due.delete(session);
  }

  #pause(ms: number, due: Due): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        due.wake = () => {};
        resolve();
      };
      const timer = setTimeout(end, ms);
      due.wake = end;
    });
  }
}
