import type { EventOf } from "@holdfast/events";
import { backoff } from "@holdfast/recovery/backoff";
import type { LinkStanding } from "./_broker_pool.ts";
import { bytesIn, type Content, messagesIn } from "./_content.ts";
import type { Contacts } from "./_contacts.ts";
import { floorOf, type Lane, laneName, type Lanes } from "./_lanes.ts";
import { openOutbox, type OutboxState, step } from "./_outbox.ts";
import type { OutboxAction, OutboxInput, SendMode } from "./_outbox_types.ts";
import type { Sessions } from "./_sessions.ts";
import { Publisher, type PublisherOwner } from "./_publisher.ts";
import { type Letter, Routes } from "./_routes.ts";
import { TaskSet } from "./_tasks.ts";
import type { ReplayWindow } from "./_window.ts";
import { Widening } from "./_widening.ts";
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

/** What a sender needs of its owner. */
export interface SenderOwner extends PublisherOwner {
  readonly standing: (broker: string) => LinkStanding;
  /** These are the peer's: see to it that they are tried. */
  readonly use: (brokers: readonly string[]) => void;
}

/** What bounds a sender. */
export interface SenderLimits {
  readonly outboxMax: number;
  readonly outboxBytesMax: number;
  /** How many of a peer's brokers to try at first. */
  readonly homes: number;
  readonly mode: SendMode;
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
  readonly #publisher: Publisher;
  readonly #widening: Widening;
  readonly #tasks: TaskSet = new TaskSet();
  readonly #owner: SenderOwner;
  readonly #limits: SenderLimits;
  readonly #routes: Routes;
  readonly #outbox: OutboxState;
  readonly #letters: Map<string, Letter> = new Map();
  #bytes = 0;
  #messages = 0;
  #timer: Wake | undefined;
  #closed = false;

  constructor(
    lanes: Lanes,
    sessions: Sessions,
    contacts: Contacts,
    limits: SenderLimits,
    owner: SenderOwner,
  ) {
    this.#lanes = lanes;
    this.#owner = owner;
    this.#limits = limits;
    this.#routes = new Routes(limits.homes, owner.standing);
    this.#widening = new Widening(this.#routes, {
      use: owner.use,
      publishBy: ({ name }, broker) =>
        this.#step({
          ...{ type: "broker-up", broker, uses: (lane) => lane === name },
        }),
    });
    this.#publisher = new Publisher(
      ...[lanes, sessions, contacts, this.#routes, owner] as const,
    );
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
    return this.#messages;
  }

  /** How many packets to a peer do. */
  underWay(peer: string): number {
    const lane = this.#lanes.find(peer);
    return lane && this.#outbox.lanes.get(lane.name)?.entries.size || 0;
  }

  /** How many bytes they have. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves when the peer has acknowledged it. The peer id has been checked. */
  submit(peer: string, content: Content, patience: Patience): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { signal, timeoutMs } = patience;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#closed) return Promise.reject(closedError());
    const bytes = bytesIn(content);
    const messages = messagesIn(content);
    const full = this.#isFull(peer, bytes, messages);
    if (full !== undefined) return Promise.reject(full);
    const lane = this.#lanes.to(peer);
    const sequence = ++lane.sequence;
    const onAbort = (): void =>
      this.#step({ type: "cancel", lane: lane.name, sequence });
    const now = performance.now();
    lane.waitingSince = Math.min(lane.waitingSince, now);
    this.#bytes += bytes;
    this.#messages += messages;
    this.#letters.set(`${lane.name} ${sequence}`, {
      ...{ lane, sequence, content, messages, sentAt: now, copies: 0 },
      ...{ used: new Set<string>(), publishedAt: now },
      settle: (failure) => {
        this.#bytes -= bytes;
        this.#messages -= messages;
        signal?.removeEventListener("abort", onAbort);
        if (failure === undefined) resolve();
        else reject(failure.reason ?? signal?.reason);
      },
    });
    this.sent += messages;
    signal?.addEventListener("abort", onAbort, { once: true });
    const begin = (): void => {
      this.#widening.begin(lane);
      const { mode, homes } = this.#limits;
      this.#step({
        ...{ type: "send", lane: lane.name, sequence, mode },
        deadline: now + timeoutMs,
        hedgeMs: lane.health.hedgeMs,
        ways: Math.min(homes, lane.ranked.length),
      });
    };
    // Behind those that wait already: numbers go into the outbox in order.
    if (lane.ranked.length > 0 && lane.deferred === 0) begin();
    else {
      lane.deferred++;
      this.#tasks.run(async () => {
        await lane.ready;
        lane.deferred--;
        if (this.#letters.has(`${lane.name} ${sequence}`)) begin();
      });
    }
    return promise;
  }

  /** The peer says what has arrived. */
  onAck(
    peer: string,
    epoch: string,
    window: ReplayWindow,
    broker: string,
  ): void {
    const lane = this.#lanes.find(peer);
    if (lane === undefined) return;
    lane.health.praise(broker);
    lane.waitingSince = Infinity;
    this.#step({
      type: "ack",
      lane: laneName(peer, epoch),
      has: (sequence) => window.check(sequence) === "seen",
    });
    if (this.#outbox.lanes.has(lane.name)) {
      lane.waitingSince = performance.now();
    }
  }

  /** There are keys for the peer: what waits goes now. */
  onSession(peer: string): void {
    const lane = this.#lanes.find(peer);
    if (lane !== undefined) this.#step({ type: "session", lane: lane.name });
  }

  /** A broker is up that has none of what is waiting. */
  onBrokerUp(broker: string): void {
    const now = performance.now();
    this.#step({
      type: "broker-up",
      broker,
      uses: (name) => {
        const lane = this.#lanes.find(name.split(" ")[0]!);
        return lane?.name === name &&
          this.#routes.walk(lane, now).includes(broker);
      },
    });
  }

  /** A broker is lost, and with it what it had not carried yet. */
  onBrokerDown(): void {
    this.#step({
      type: "broker-lost",
      lost: ({ lane, sequence }) => {
        const used = this.#letters.get(`${lane} ${sequence}`)?.used;
        if (used === undefined || used.size === 0) return false;
        return [...used].every((broker) => !this.#owner.standing(broker).up);
      },
    });
  }

  /** It was the own network: no broker is to blame. */
  forgive(): void {
    for (const { lane } of this.#letters.values()) lane.health.forgive();
  }

  /**
   * Counts what waits elsewhere for its turn to be submitted.
   *
   * @throws {SignalError} `signal/outbox-full`.
   */
  reserve(peer: string, bytes: number): void {
    const full = this.#isFull(peer, bytes, 1);
    if (full !== undefined) throw full;
    this.#bytes += bytes;
    this.#messages++;
  }

  /** It waits no more. */
  unreserve(bytes: number): void {
    this.#bytes -= bytes;
    this.#messages--;
  }

  /** The error of one whose time was over before it was its turn. */
  overdue({ peer }: Lane, timeoutMs: number): SignalError {
    return new SignalError(
      "signal/unacknowledged",
      `Cannot deliver to "${peer}": ordered messages before it were not acknowledged within ${timeoutMs} ms: see that it runs and shares a broker`,
      { cause: new DOMException("The time is over", "TimeoutError") },
    );
  }

  /** An ordered message will not come: those after it need not wait for it. */
  raiseFloor(lane: Lane): void {
    if (this.#closed || lane.place === 0) return;
    const content = { type: "floor", floor: floorOf(lane) } as const;
    this.submit(lane.peer, content, { timeoutMs: 30_000, signal: undefined })
      .catch(() => {});
  }

  /** Gives up on everything, and tells the peers of late that this end goes. */
  async sayBye(): Promise<void> {
    const byes = this.#publisher.sayBye();
    await this.close();
    await byes;
  }

  /** Gives up on everything. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer?.id);
    this.#timer = undefined;
    this.#widening.close();
    for (const letter of this.#letters.values()) {
      this.#fail(letter, "closed", closedError());
    }
    this.#letters.clear();
    await this.#tasks.idle();
  }

  #isFull(
    peer: string,
    bytes: number,
    messages: number,
  ): SignalError | undefined {
    const { outboxMax, outboxBytesMax } = this.#limits;
    const what = this.#messages + messages > outboxMax
      ? `${outboxMax} messages`
      : this.#bytes + bytes > outboxBytesMax
      ? `${this.#bytes} bytes of at most ${outboxBytesMax}`
      : undefined;
    return what === undefined ? undefined : new SignalError(
      "signal/outbox-full",
      `Cannot send to "${peer}": ${what} wait for their acknowledgement: wait for some of them first`,
    );
  }

  #step(input: OutboxInput): void {
    if (this.#closed) return;
    const now = performance.now();
    const { actions, wakeAt } = step(this.#outbox, input, now);
    for (const action of actions) this.#perform(action, now);
    this.#wakeAt(wakeAt, now);
  }

  #perform(action: OutboxAction, now: number): void {
    const name = `${action.lane} ${action.sequence}`;
    const letter = this.#letters.get(name);
    if (letter === undefined) return;
    if (action.type === "publish") {
      this.#blame(letter, action, now);
      this.#tasks.run(async () => {
        this.copies += await this.#publisher.publish(
          letter,
          action,
          () => this.#letters.has(name),
        );
      });
      return;
    }
    this.#letters.delete(name);
    this.#settle(letter, action.outcome, now);
  }

  /** A copy is late: others go by other brokers first for a while. */
  #blame(
    { lane, used, publishedAt }: Letter,
    { reason }: OutboxAction & { readonly type: "publish" },
    now: number,
  ): void {
    if (reason !== "hedge" && reason !== "retransmit") return;
    this.#owner.use(this.#routes.walk(lane, now));
    // One whose copy left a moment ago, after a wait of ours, is not late.
    if (now - publishedAt < lane.health.hedgeMs / 2) return;
    for (const broker of used) lane.health.blame(broker, now);
  }

  #settle(
    letter: Letter,
    outcome: "acknowledged" | "expired" | "cancelled",
    now: number,
  ): void {
    const { lane, sequence, copies, used, publishedAt, messages } = letter;
    const { peer } = lane;
    if (outcome === "acknowledged") {
      this.acknowledged += letter.messages;
      if (copies === 1 && used.size === 1) {
        lane.health.measured(now - publishedAt);
      }
      const elapsedMs = Math.round(now - letter.sentAt);
      this.#owner.emit({
        type: "acknowledged",
        peer,
        sequence,
        copies,
        elapsedMs,
        ...(messages > 1 ? { messages } : {}),
      });
      return letter.settle();
    }
    // The reason is the signal's.
    if (outcome === "cancelled") return this.#fail(letter, "cancelled");
    const error = this.#routes.failure(letter, now);
    this.#fail(
      letter,
      error.code === "signal/no-broker" ? "no-broker" : "unacknowledged",
      error,
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

/** The error of what is sent after the end. */
export function closedError(): SignalError {
  return new SignalError(
    "signal/closed",
    "Cannot send: signalling is closed: open it again",
  );
}
