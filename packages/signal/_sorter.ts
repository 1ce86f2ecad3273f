import { Joiner } from "./_chunks.ts";
import { type Content, decodeContent, messagesIn } from "./_content.ts";
import { LruMap } from "./_lru.ts";
import { Mailbox } from "./_mailbox.ts";
import { Reorder } from "./_ordering.ts";
import { SignalError } from "./errors.ts";
import type { SignallingEvent } from "./events.ts";
import type { Message, ReceiveOptions } from "./signalling.ts";

/** Room for large messages that are under way, in messages of the largest size. */
const JOIN_ROOM = 4;
/** Senders whose order is kept. */
const ORDERS_MAX = 1024;

/** By what something came. */
export interface Origin {
  readonly sequence: number;
  readonly broker: string;
}

/** Where contents of other kinds go. */
export interface SorterOwner {
  readonly emit: (event: SignallingEvent) => void;
  readonly onRequest: (
    from: string,
    request: Content & { readonly type: "request" },
  ) => boolean;
  readonly onAnswer: (
    from: string,
    answer: Content & { readonly type: "answer" },
  ) => void;
  readonly onBye: (from: string) => void;
}

/** Takes contents apart by kind: joins pieces, keeps orders, fills the mailbox. */
export class Sorter {
  /** Messages, requests and answers that were taken. */
  delivered = 0;
  readonly #mailbox: Mailbox;
  readonly #joiner: Joiner;
  readonly #orders: LruMap<string, Reorder> = new LruMap(ORDERS_MAX);
  // Orders in which something is ready for which there was no room.
  readonly #stuck: Map<string, Reorder> = new Map();
  readonly #owner: SorterOwner;

  constructor(
    limits: { readonly receiveMax: number; readonly messageBytesMax: number },
    owner: SorterOwner,
  ) {
    this.#mailbox = new Mailbox(limits.receiveMax, () => this.#unstick());
    // A request id and a place come on top.
    const wholeMax = limits.messageBytesMax + 128;
    this.#joiner = new Joiner(wholeMax, JOIN_ROOM * (wholeMax + 16_384));
    this.#owner = owner;
  }

  /** How many messages wait for a reader. */
  get unread(): number {
    return this.#mailbox.size;
  }

  /** Takes something new of a sender's epoch; `false` when there is no room. */
  take(
    from: string,
    epoch: string,
    content: Content,
    origin: Origin,
  ): boolean {
    if (!this.#sort(from, epoch, content, origin)) return false;
    const kind = userKind(content);
    if (kind === undefined) return true;
    for (let left = messagesIn(content); left > 0; left--) {
      this.delivered++;
      this.#owner.emit({ type: "delivered", from, ...origin, content: kind });
    }
    return true;
  }

  #sort(
    from: string,
    epoch: string,
    content: Content,
    origin: Origin,
  ): boolean {
    switch (content.type) {
      case "message":
        return this.#mailbox.offer({ from, bytes: content.bytes });
      case "bundle":
        // All or none: one packet is acknowledged as a whole.
        if (this.#mailbox.room < content.parts.length) return false;
        for (const bytes of content.parts) this.#mailbox.offer({ from, bytes });
        return true;
      case "ordered":
        return this.#order(
          from,
          epoch,
          (order) => order.take(content.place, content.floor, content.bytes),
        );
      case "floor":
        return this.#order(from, epoch, (order) => {
          order.raise(content.floor);
          return true;
        });
      case "request":
        return this.#owner.onRequest(from, content);
      case "answer":
        this.#owner.onAnswer(from, content);
        return true;
      case "chunk":
        return this.#join(from, epoch, content, origin);
      case "bye":
        this.#owner.onBye(from);
        return true;
      case "probe":
        return true;
    }
  }

  /** See `Signalling.receive`. */
  read(options?: ReceiveOptions): AsyncIterableIterator<Message, undefined> {
    return this.#mailbox.read(options);
  }

  /** Ends the readers. */
  close(): void {
    this.#stuck.clear();
    this.#mailbox.close();
  }

  #order(
    from: string,
    epoch: string,
    change: (order: Reorder) => boolean,
  ): boolean {
    const name = `${from} ${epoch}`;
    let order = this.#orders.get(name);
    if (order === undefined) {
      order = new Reorder();
      this.#orders.set(name, order);
    }
    const taken = change(order);
    this.#drain(name, from, order);
    return taken;
  }

  #drain(name: string, from: string, order: Reorder): void {
    let full = false;
    order.drain((bytes) => {
      full = !this.#mailbox.offer({ from, bytes });
      return !full;
    });
    if (full) this.#stuck.set(name, order);
    else this.#stuck.delete(name);
  }

  #unstick(): void {
    for (const [name, order] of this.#stuck) {
      this.#drain(name, name.split(" ")[0]!, order);
      if (this.#stuck.has(name)) return;
    }
  }

  #join(
    from: string,
    epoch: string,
    chunk: Content & { readonly type: "chunk" },
    origin: Origin,
  ): boolean {
    const sender = `${from} ${epoch}`;
    const joined = this.#joiner.take(sender, chunk, performance.now());
    if (joined.type !== "whole") return joined.type === "waiting";
    let content: Content;
    try {
      content = decodeContent(joined.bytes);
      if (content.type === "chunk") {
        throw new SignalError("signal/bad-frame", "");
      }
    } catch {
      // It is no content, and will not become one: that is the sender's loss.
      this.#joiner.done(sender, chunk.whole);
      return true;
    }
    // Without room for the whole its last piece is refused, and comes again.
    if (!this.take(from, epoch, content, origin)) return false;
    this.#joiner.done(sender, chunk.whole);
    return true;
  }
}

/** What it is to the user; `undefined` for what is between the ends alone. */
function userKind(
  { type }: Content,
): "message" | "request" | "answer" | undefined {
  switch (type) {
    case "message":
    case "ordered":
    case "bundle":
      return "message";
    case "request":
    case "answer":
      return type;
    default:
      return undefined;
  }
}
