import type { EventOf } from "@holdfast/events";
import { backoff } from "@holdfast/recovery";
import type { Bytes } from "./_bytes.ts";
import { type Acknowledgement, type Content, encodeContent } from "./_frame.ts";
import { type Lane, laneName, type Lanes } from "./_lanes.ts";
import {
  openOutbox,
  type OutboxAction,
  type OutboxInput,
  type OutboxState,
  step,
} from "./_outbox.ts";
import { TaskSet } from "./_tasks.ts";
import { SignalError } from "./errors.ts";
import type { SignallingEvent } from "./events.ts";

const RESEND_FIRST_MS = 400;
const RESEND_MIN_MS = 200;
const RESEND_MAX_MS = 4000;
// Half of the peer's window: the other half is for copies that come late.
const SPREAD_MAX = 512;

interface Wake {
  readonly id: ReturnType<typeof setTimeout>;
  readonly at: number;
}

interface Letter {
  readonly lane: Lane;
  readonly sequence: number;
  readonly content: Bytes;
  readonly sentAt: number;
  readonly settle: (failure?: { readonly reason: unknown }) => void;
  frame?: Promise<Bytes>;
  copies: number;
}

/** What a sender needs of its owner. */
export interface SenderOwner {
  readonly emit: (event: SignallingEvent) => void;
  readonly publish: (topic: string, frame: Bytes, only?: string) => number;
}

/** How long and until when to try. */
export interface Patience {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Frames out: each is sealed once, and repeated until it is acknowledged. */
export class Sender {
  sent = 0;
  acknowledged = 0;
  copies = 0;
  readonly #lanes: Lanes;
  readonly #tasks: TaskSet = new TaskSet();
  readonly #owner: SenderOwner;
  readonly #sizeMax: number;
  readonly #outbox: OutboxState;
  readonly #letters: Map<string, Letter> = new Map();
  #timer: Wake | undefined;
  #closed = false;

  constructor(lanes: Lanes, sizeMax: number, owner: SenderOwner) {
    this.#lanes = lanes;
    this.#owner = owner;
    this.#sizeMax = sizeMax;
    this.#outbox = openOutbox({
      spreadMax: SPREAD_MAX,
      delayMs: backoff({
        firstMs: RESEND_FIRST_MS,
        minMs: RESEND_MIN_MS,
        maxMs: RESEND_MAX_MS,
      }),
    });
  }

  /** How many wait for their acknowledgement. */
  get size(): number {
    return this.#outbox.size;
  }

  /** Resolves when the peer has acknowledged it. The peer id has been checked. */
  submit(peer: string, content: Content, patience: Patience): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { signal, timeoutMs } = patience;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#closed) return Promise.reject(closedError());
    if (this.#outbox.size >= this.#sizeMax) {
      return Promise.reject(
        new SignalError(
          "signal/outbox-full",
          `Cannot send to "${peer}": ${this.#sizeMax} messages wait for their acknowledgement: wait for some of them first`,
        ),
      );
    }
    const lane = this.#lanes.to(peer);
    const sequence = ++lane.last.data;
    const onAbort = (): void =>
      this.#step({ type: "cancel", lane: lane.name, sequence });
    const now = performance.now();
    this.#letters.set(`${lane.name} ${sequence}`, {
      lane,
      sequence,
      content: encodeContent(content),
      sentAt: now,
      copies: 0,
      settle: (failure) => {
        signal?.removeEventListener("abort", onAbort);
        if (failure === undefined) resolve();
        else reject(failure.reason ?? signal?.reason);
      },
    });
    this.sent++;
    signal?.addEventListener("abort", onAbort, { once: true });
    const deadline = now + timeoutMs;
    this.#step({ type: "send", lane: lane.name, sequence, deadline });
    return promise;
  }

  /** The peer says what has arrived. */
  onAck(peer: string, { epoch, sequences }: Acknowledgement): void {
    this.#step({ type: "ack", lane: laneName(peer, epoch), sequences });
  }

  /** A broker is up that has none of what is waiting. */
  onBrokerUp(broker: string): void {
    this.#step({ type: "broker-up", broker });
  }

  /** Gives up on everything. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer?.id);
    this.#timer = undefined;
    for (const letter of this.#letters.values()) {
      this.#fail(letter, "closed", closedError());
    }
    this.#letters.clear();
    await this.#tasks.idle();
  }

  #step(input: OutboxInput): void {
    if (this.#closed) return;
    const now = performance.now();
    const { actions, wakeAt } = step(this.#outbox, input, now);
    for (const action of actions) this.#do(action, now);
    this.#wakeAt(wakeAt, now);
  }

  #do(action: OutboxAction, now: number): void {
    const name = `${action.lane} ${action.sequence}`;
    const letter = this.#letters.get(name);
    if (letter === undefined) return;
    if (action.type === "publish") {
      this.#tasks.run(() => this.#publish(name, letter, action));
      return;
    }
    this.#letters.delete(name);
    const { lane: { peer }, sequence, copies } = letter;
    if (action.outcome === "acknowledged") {
      this.acknowledged++;
      const elapsedMs = Math.round(now - letter.sentAt);
      this.#owner.emit({
        type: "acknowledged",
        peer,
        sequence,
        copies,
        elapsedMs,
      });
      return letter.settle();
    }
    // The reason is the signal's.
    if (action.outcome === "cancelled") return this.#fail(letter, "cancelled");
    const tried = Math.round(now - letter.sentAt);
    const [why, fix] = copies === 0
      ? ["no broker could be reached", "look at state.brokers"]
      : ["it did not acknowledge", "see that it runs and shares a broker"];
    const reason = copies === 0 ? "no-broker" : "unacknowledged";
    this.#fail(
      letter,
      reason,
      new SignalError(
        `signal/${reason}`,
        `Cannot deliver to "${peer}": ${why} within ${tried} ms: ${fix}`,
        { cause: new DOMException("The time is over", "TimeoutError") },
      ),
    );
  }

  #fail(
    letter: Letter,
    reason: EventOf<SignallingEvent, "undelivered">["reason"],
    error?: SignalError,
  ): void {
    const { lane: { peer }, sequence } = letter;
    this.#owner.emit({ type: "undelivered", peer, sequence, reason });
    letter.settle({ reason: error });
  }

  async #publish(
    name: string,
    letter: Letter,
    { reason, broker }: OutboxAction & { readonly type: "publish" },
  ): Promise<void> {
    const { lane, sequence, content } = letter;
    // Once: with other bytes the same nonce would give the key away.
    letter.frame ??= this.#lanes.seal(lane, "data", sequence, content);
    const frame = await letter.frame;
    const topic = await lane.topic;
    // Settled in the meantime.
    if (!this.#letters.has(name)) return;
    const brokers = this.#owner.publish(topic, frame, broker);
    letter.copies += brokers;
    this.copies += brokers;
    this.#owner.emit({
      type: "sent",
      peer: lane.peer,
      sequence,
      brokers,
      reason,
    });
  }

  #wakeAt(at: number, now: number): void {
    if (at === Infinity || (this.#timer?.at ?? Infinity) <= at) return;
    clearTimeout(this.#timer?.id);
    const id = setTimeout(() => {
      this.#timer = undefined;
      this.#step({ type: "tick" });
    }, Math.max(1, at - now));
    this.#timer = { id, at };
  }
}

function closedError(): SignalError {
  return new SignalError(
    "signal/closed",
    "Cannot send: signalling is closed: open it again",
  );
}
