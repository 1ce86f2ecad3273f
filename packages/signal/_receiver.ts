import type { EventOf } from "@holdfast/events";
import { type Bytes, equalBytes, toHex } from "./_bytes.ts";
import { type Content, decodeContent } from "./_content.ts";
import type { Origin } from "./_sorter.ts";
import { Inbox } from "./_inbox.ts";
import {
  decodePacket,
  type Frame,
  type Packet,
  PACKET_BYTES_MAX,
  unpad,
} from "./_packet.ts";
import type { Session, Sessions } from "./_sessions.ts";
import { TaskSet } from "./_tasks.ts";
import { ReplayWindow, WINDOW_BYTES } from "./_window.ts";
import { SignalError } from "./errors.ts";
import type { SignallingEvent } from "./events.ts";

/** How many frames are opened at once. */
const OPENING_MAX = 512;

/** What a receiver tells its owner. */
export interface ReceiverOwner {
  readonly emit: (event: SignallingEvent) => void;
  readonly onHandshake: (
    broker: string,
    packet: Packet & { readonly kind: "hello" | "welcome" },
  ) => void;
  /** Takes something new; `false` when there is no room for it now. */
  readonly onContent: (
    from: string,
    epoch: string,
    content: Content,
    origin: Origin,
  ) => boolean;
  /** What the peer has, of one epoch of ours, and by which broker it said so. */
  readonly onAck: (
    from: string,
    epoch: string,
    window: ReplayWindow,
    broker: string,
  ) => void;
  /** Something authentic came in a session; `fresh` the first time. */
  readonly onAlive: (session: Session, broker: string, fresh: boolean) => void;
  /** Something is to be acknowledged, for the first time or again. */
  readonly acknowledge: (
    session: Session,
    window: ReplayWindow,
    broker: string,
    again: boolean,
  ) => void;
}

/**
 * Frames in, each message once. The order of the steps is the point: a look at
 * the window first, since it is cheap; then the key; and only what is
 * authentic marks the window, so that a forged or damaged copy that comes
 * first cannot suppress the honest one.
 */
export class Receiver {
  duplicatesDropped = 0;
  rejected = 0;
  readonly #inbox: Inbox = new Inbox();
  // The copies of a message come by several brokers at nearly the same time:
  // those of one that is being opened need not be opened themselves, but only
  // if they are the very same bytes, since what is being opened may be forged.
  readonly #opening: Map<string, Frame[]> = new Map();
  readonly #sessions: Sessions;
  readonly #tasks: TaskSet = new TaskSet();
  readonly #owner: ReceiverOwner;
  #closed = false;

  constructor(sessions: Sessions, owner: ReceiverOwner) {
    this.#sessions = sessions;
    this.#owner = owner;
  }

  /** Takes what a broker gave. */
  take(broker: string, bytes: Uint8Array): void {
    if (this.#closed) return;
    if (bytes.length > PACKET_BYTES_MAX) {
      return this.reject(broker, "too-large");
    }
    let packet: Packet;
    try {
      packet = decodePacket(bytes);
    } catch {
      return this.reject(broker, "bad-frame");
    }
    if (packet.kind === "hello" || packet.kind === "welcome") {
      return this.#owner.onHandshake(broker, packet);
    }
    const session = this.#sessions.find(packet.tag);
    // Of a session that this end has forgotten, or never had.
    if (session === undefined) return this.reject(broker, "no-session");
    if (this.#isCopy(broker, session, packet)) return;
    if (this.#tasks.size >= OPENING_MAX) {
      return this.reject(broker, "overloaded", session.peer);
    }
    this.#tasks.run(() => this.#openOne(broker, session, packet));
  }

  /** Says that something was not accepted. */
  reject(
    broker: string,
    reason: EventOf<SignallingEvent, "message-rejected">["reason"],
    from?: string,
  ): void {
    this.rejected++;
    this.#owner.emit({
      type: "message-rejected",
      broker,
      reason,
      ...(from === undefined ? {} : { from }),
    });
  }

  /** Takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#tasks.idle();
  }

  #window(session: Session, frame: Frame): ReplayWindow {
    return frame.kind === "ack"
      ? session.acks
      : this.#inbox.window(session.peer, session.secrets.peerEpoch);
  }

  #isCopy(broker: string, session: Session, frame: Frame): boolean {
    const window = this.#window(session, frame);
    const verdict = window.check(frame.sequence);
    if (verdict === "new") {
      const same = this.#opening.get(nameOf(frame))?.some((other) =>
        equalBytes(other.sealed, frame.sealed)
      );
      if (same) this.#dropCopy(broker, session, frame, "copy");
      return same ?? false;
    }
    const reason = verdict === "seen" ? "copy" : "stale";
    this.#dropCopy(broker, session, frame, reason);
    // Seen again: perhaps the acknowledgement was lost. Not when it is stale:
    // whether it was ever seen is not known then, and its sender, who keeps
    // what it waits for inside the window, waits no more.
    if (verdict === "seen" && frame.kind === "data") {
      this.#owner.acknowledge(session, window, broker, true);
    }
    return true;
  }

  #dropCopy(
    broker: string,
    { peer }: Session,
    { kind, sequence }: Frame,
    reason: "copy" | "stale",
  ): void {
    // Copies of acknowledgements mean nothing.
    if (kind === "ack") return;
    this.#owner.emit({
      type: "duplicate-dropped",
      from: peer,
      sequence,
      broker,
      reason,
      total: ++this.duplicatesDropped,
    });
  }

  async #openOne(
    broker: string,
    session: Session,
    frame: Frame,
  ): Promise<void> {
    const name = nameOf(frame);
    const others = this.#opening.get(name);
    if (others === undefined) this.#opening.set(name, [frame]);
    else others.push(frame);
    try {
      const padded = await session.open(frame);
      if (padded === undefined) {
        return this.reject(broker, "not-authentic", session.peer);
      }
      // From here on nothing waits, so that nothing comes in between.
      if (!this.#closed) this.#accept(broker, session, frame, unpad(padded));
    } catch (error) {
      // What was sealed is no content.
      if (!(error instanceof SignalError)) throw error;
      this.reject(broker, "bad-frame", session.peer);
    } finally {
      const rest = this.#opening.get(name)!.filter((other) => other !== frame);
      if (rest.length === 0) this.#opening.delete(name);
      else this.#opening.set(name, rest);
    }
  }

  #accept(
    broker: string,
    session: Session,
    frame: Frame,
    flagged: Bytes,
  ): void {
    const window = this.#window(session, frame);
    const { sequence } = frame;
    // Another copy, with other bytes, may have been faster.
    if (window.check(sequence) !== "new") {
      return this.#dropCopy(broker, session, frame, "copy");
    }
    const { peer: from, secrets: { ownEpoch, peerEpoch } } = session;
    const bytes = flagged.subarray(1);
    const content = frame.kind === "data" ? decodeContent(bytes) : undefined;
    session.peerListens ||= (flagged[0]! & 1) === 1;
    const fresh = this.#sessions.confirm(session);
    this.#owner.onAlive(session, broker, fresh);
    if (content === undefined) {
      if (bytes.length < WINDOW_BYTES) return this.reject(broker, "bad-frame");
      window.mark(sequence);
      const has = ReplayWindow.fromBytes(bytes);
      return this.#owner.onAck(from, toHex(ownEpoch), has, broker);
    }
    const origin = { sequence, broker };
    if (!this.#owner.onContent(from, peerEpoch, content, origin)) {
      return this.reject(broker, "buffer-full", from);
    }
    window.mark(sequence);
    this.#owner.acknowledge(session, window, broker, false);
  }
}

function nameOf({ kind, tag, sequence }: Frame): string {
  return `${kind} ${tag} ${sequence}`;
}
