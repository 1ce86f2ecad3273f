import type { EventOf } from "@holdfast/events";
import { equalBytes } from "./_bytes.ts";
import { TokenBucket } from "./_bucket.ts";
import {
  type Acknowledgement,
  type Content,
  decodeAck,
  decodeContent,
  decodeFrame,
  type Frame,
  type FrameHeader,
  OVERHEAD_BYTES_MAX,
} from "./_frame.ts";
import { Inbox } from "./_inbox.ts";
import type { Keyring } from "./_keyring.ts";
import { open } from "./_seal.ts";
import { TaskSet } from "./_tasks.ts";
import { SignalError } from "./errors.ts";
import type { SignallingEvent } from "./events.ts";

/** How many frames are opened at once. */
const OPENING_MAX = 512;
// A sender never heard of costs a key agreement, about 1 ms of one core, and
// names are free to make up: this keeps a flood of them below a tenth.
const STRANGERS_BURST = 64;
const STRANGERS_PER_SECOND = 64;

/** What a receiver tells its owner. */
export interface ReceiverOwner {
  readonly emit: (event: SignallingEvent) => void;
  /** Takes something new; `false` when there is no room for it now. */
  readonly onContent: (from: string, content: Content) => boolean;
  readonly onAck: (from: string, ack: Acknowledgement) => void;
  /** Something is to be acknowledged, for the first time or again. */
  readonly acknowledge: (header: FrameHeader, again: boolean) => void;
}

/**
 * Frames in, each message once. The order of the steps is the point: a look at
 * the window first, since it is cheap; then the key; and only what is
 * authentic marks the window, so that a forged or damaged copy that comes
 * first cannot suppress the honest one.
 */
export class Receiver {
  delivered = 0;
  duplicatesDropped = 0;
  rejected = 0;
  readonly #inbox: Inbox = new Inbox();
  // The copies of a message come by several brokers at nearly the same time:
  // those of one that is being opened need not be opened themselves, but only
  // if they are the very same bytes, since what is being opened may be forged.
  readonly #opening: Map<string, Frame[]> = new Map();
  readonly #strangers: TokenBucket = new TokenBucket(
    STRANGERS_BURST,
    STRANGERS_PER_SECOND,
  );
  readonly #keyring: Keyring;
  readonly #tasks: TaskSet = new TaskSet();
  readonly #frameBytesMax: number;
  readonly #owner: ReceiverOwner;
  #closed = false;

  constructor(
    keyring: Keyring,
    messageBytesMax: number,
    owner: ReceiverOwner,
  ) {
    this.#keyring = keyring;
    this.#frameBytesMax = messageBytesMax + OVERHEAD_BYTES_MAX;
    this.#owner = owner;
  }

  /** Takes what a broker gave. */
  take(broker: string, bytes: Uint8Array): void {
    if (this.#closed) return;
    if (bytes.length > this.#frameBytesMax) {
      return this.reject(broker, "too-large");
    }
    let frame: Frame;
    try {
      frame = decodeFrame(bytes);
    } catch {
      return this.reject(broker, "bad-frame");
    }
    if (this.#isCopy(broker, frame)) return;
    const { sender } = frame.header;
    if (
      this.#tasks.size >= OPENING_MAX ||
      (!this.#keyring.isCheap(sender) &&
        !this.#strangers.take(performance.now()))
    ) return this.reject(broker, "overloaded", sender);
    this.#tasks.run(() => this.#openOne(broker, frame));
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

  #isCopy(broker: string, frame: Frame): boolean {
    const verdict = this.#inbox.check(frame.header);
    if (verdict === "new") {
      const same = this.#opening.get(nameOf(frame.header))?.some((other) =>
        equalBytes(other.sealed, frame.sealed)
      );
      if (same) this.#dropCopy(broker, frame.header, "copy");
      return same ?? false;
    }
    this.#dropCopy(broker, frame.header, verdict === "seen" ? "copy" : "stale");
    // Seen again: perhaps the acknowledgement was lost. Not when it is stale:
    // whether it was ever seen is not known then, and its sender, who keeps
    // what it waits for inside the window, waits no more.
    if (verdict === "seen" && frame.header.kind === "data") {
      this.#owner.acknowledge(frame.header, true);
    }
    return true;
  }

  #dropCopy(
    broker: string,
    { kind, sender, sequence }: FrameHeader,
    reason: "copy" | "stale",
  ): void {
    // Copies of acknowledgements are as many again, and mean nothing.
    if (kind === "ack") return;
    this.#owner.emit({
      type: "duplicate-dropped",
      from: sender,
      sequence,
      broker,
      reason,
      total: ++this.duplicatesDropped,
    });
  }

  async #openOne(broker: string, frame: Frame): Promise<void> {
    const name = nameOf(frame.header);
    const others = this.#opening.get(name);
    if (others === undefined) this.#opening.set(name, [frame]);
    else others.push(frame);
    const { sender } = frame.header;
    try {
      const found = await this.#keyring.opening(frame.header);
      const content = await open(found.key, frame);
      if (content === undefined) {
        return this.reject(broker, "not-authentic", sender);
      }
      found.keep();
      // From here on nothing waits, so that nothing comes in between.
      if (!this.#closed) this.#accept(broker, frame.header, content);
    } catch (error) {
      // The sender that it names is no key, or what was sealed is no content.
      if (!(error instanceof TypeError || error instanceof SignalError)) {
        throw error;
      }
      this.reject(broker, "bad-frame");
    } finally {
      this.#keyring.proved(sender);
      const rest = this.#opening.get(name)!.filter((other) => other !== frame);
      if (rest.length === 0) this.#opening.delete(name);
      else this.#opening.set(name, rest);
    }
  }

  #accept(broker: string, header: FrameHeader, bytes: Uint8Array): void {
    // Another copy, with other bytes, may have been faster.
    if (this.#inbox.check(header) !== "new") {
      return this.#dropCopy(broker, header, "copy");
    }
    const { sender: from, sequence } = header;
    if (header.kind === "ack") {
      const ack = decodeAck(bytes);
      this.#inbox.mark(header);
      return this.#owner.onAck(from, ack);
    }
    const content = decodeContent(bytes);
    if (!this.#owner.onContent(from, content)) {
      return this.reject(broker, "buffer-full", from);
    }
    this.#inbox.mark(header);
    this.delivered++;
    this.#owner.emit({
      type: "delivered",
      from,
      sequence,
      broker,
      content: content.type,
    });
    this.#owner.acknowledge(header, false);
  }
}

function nameOf({ kind, sender, epoch, sequence }: FrameHeader): string {
  return `${kind} ${sender} ${epoch} ${sequence}`;
}
