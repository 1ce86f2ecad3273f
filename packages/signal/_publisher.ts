import type { EventOf } from "@holdfast/events";
import type { Handed } from "./_broker_link.ts";
import type { Bytes } from "./_bytes.ts";
import { encodeContent } from "./_content.ts";
import type { Contacts } from "./_contacts.ts";
import type { Lane, Lanes } from "./_lanes.ts";
import type { OutboxAction } from "./_outbox_types.ts";
import { type Letter, type Routes, withFloor } from "./_routes.ts";
import type { Session, Sessions } from "./_sessions.ts";
import { dayOf, inboxTopic } from "./_topics.ts";
import type { SignallingEvent } from "./events.ts";

/** How many peers are told that this end closes. */
const BYES_MAX = 64;

/** What a publisher needs of its owner. */
export interface PublisherOwner {
  readonly emit: (event: SignallingEvent) => void;
  readonly publish: (broker: string, topic: string, frame: Bytes) => Handed;
}

/** Seals, and hands to brokers; where there are no keys yet it says hello. */
export class Publisher {
  readonly #lanes: Lanes;
  readonly #sessions: Sessions;
  readonly #contacts: Contacts;
  readonly #routes: Routes;
  readonly #owner: PublisherOwner;

  constructor(
    lanes: Lanes,
    sessions: Sessions,
    contacts: Contacts,
    routes: Routes,
    owner: PublisherOwner,
  ) {
    this.#lanes = lanes;
    this.#sessions = sessions;
    this.#contacts = contacts;
    this.#routes = routes;
    this.#owner = owner;
  }

  /** Gives how many copies were handed over; none once `isOpen` says no. */
  async publish(
    letter: Letter,
    { reason, to }: OutboxAction & { readonly type: "publish" },
    isOpen: () => boolean,
  ): Promise<number> {
    const { lane } = letter;
    const session = this.#sessions.current(lane.peer, lane.epoch);
    if (session === undefined) {
      const brokers = this.#routes.choose(letter, to);
      for (const broker of to === "one" ? brokers.slice(0, 1) : brokers) {
        letter.used.add(broker);
      }
      this.#contacts.greet(lane, [...letter.used]);
      this.#tell(letter, 0, reason);
      return 0;
    }
    const frame = await this.#seal(letter, session);
    const topic = await this.#topic(
      session,
      session.peerListens && reason === "new",
    );
    // Settled in the meantime.
    if (!isOpen()) return 0;
    if (
      reason === "retransmit" || this.#sessions.isOld(session, letter.sentAt)
    ) {
      this.#contacts.renew(lane, this.#routes.choose(letter, "all"));
    }
    let copies = 0;
    for (const broker of this.#routes.choose(letter, to)) {
      const handed = this.#owner.publish(broker, topic, frame);
      if (handed !== "not-up") letter.used.add(broker);
      if (handed !== "sent") continue;
      copies++;
      if (to === "one") break;
    }
    if (copies > 0) letter.publishedAt = performance.now();
    letter.copies += copies;
    this.#tell(letter, copies, reason);
    return copies;
  }

  /** Tells the peers of late that this end goes. */
  async sayBye(): Promise<void> {
    await Promise.allSettled(
      this.#sessions.peers().slice(-BYES_MAX).map(async (peer) => {
        const lane = this.#lanes.find(peer);
        const session = lane && this.#sessions.current(peer, lane.epoch);
        if (lane !== undefined && session !== undefined) {
          await this.#sayByeIn(session, lane);
        }
      }),
    );
  }

  async #sayByeIn(session: Session, lane: Lane): Promise<void> {
    const now = performance.now();
    const content = encodeContent({ type: "bye" });
    const frame = await session.seal("data", ++lane.sequence, content, now);
    const topic = await this.#topic(session, false);
    // Once, by the best of them: who misses it sees the lease run out.
    const [broker] = this.#routes.best(lane, now);
    if (broker !== undefined) this.#owner.publish(broker, topic, frame);
  }

  /** Once in each session: with other bytes the nonce would give the key away. */
  #seal(letter: Letter, session: Session): Promise<Bytes> {
    if (letter.sealed?.session !== session) {
      const { sequence, content, lane } = letter;
      const frame = session.seal(
        "data",
        sequence,
        encodeContent(withFloor(content, lane)),
        performance.now(),
      );
      letter.sealed = { session, frame };
      letter.used.clear();
    }
    return letter.sealed.frame;
  }

  #topic(session: Session, direct: boolean): Promise<string> {
    return direct
      ? session.outTopic(Date.now())
      : inboxTopic(session.peer, dayOf(Date.now()));
  }

  #tell(
    { lane: { peer }, sequence }: Letter,
    brokers: number,
    reason: EventOf<SignallingEvent, "sent">["reason"],
  ): void {
    this.#owner.emit({ type: "sent", peer, sequence, brokers, reason });
  }
}
