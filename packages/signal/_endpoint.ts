import { Emitter, EventReader } from "@holdfast/events/emitter";
import { Acker } from "./_acker.ts";
import { BrokerPool } from "./_broker_pool.ts";
import { toHex } from "./_bytes.ts";
import { Contacts } from "./_contacts.ts";
import { type EndpointConfig, ownTopics } from "./_endpoint_config.ts";
import { NEWS } from "./_network_news.ts";
import { Lanes } from "./_lanes.ts";
import {
  checkMessage,
  checkPeer,
  checkRequestId,
  patienceOf,
} from "./_options.ts";
import { Postman } from "./_postman.ts";
import { PresenceBoard } from "./_presence_board.ts";
import { Receiver } from "./_receiver.ts";
import { Requester } from "./_requester.ts";
import { Responder } from "./_responder.ts";
import { Sender } from "./_sender.ts";
import { Sessions } from "./_sessions.ts";
import { Sorter } from "./_sorter.ts";
import { dayOf } from "./_topics.ts";
import type { SignallingEvent } from "./events.ts";
import type { Presence } from "./presence.ts";
import type {
  Message,
  ReceiveOptions,
  RequestHandler,
  RequestOptions,
  SendOptions,
  Signalling,
  SignallingState,
  SignallingStats,
} from "./signalling.ts";

// Past this closing goes on without waiting for acknowledgements to leave.
const CLOSE_WORK_MS_MAX = 50;
/** How often it is looked whether the day has changed, and the topics with it. */
const DAY_CHECK_MS = 60_000;

/** The parts wired together; each of them knows only what it is told. */
export class Endpoint extends EventReader<SignallingEvent>
  implements Signalling {
  readonly id: string;
  readonly #config: EndpointConfig;
  readonly #emitter: Emitter<SignallingEvent>;
  readonly #pool: BrokerPool;
  readonly #sessions: Sessions;
  readonly #contacts: Contacts;
  readonly #sender: Sender;
  readonly #postman: Postman;
  readonly #acker: Acker;
  readonly #receiver: Receiver;
  readonly #requester: Requester;
  readonly #responder: Responder;
  readonly #sorter: Sorter;
  readonly #presences: PresenceBoard;
  readonly #news: Disposable | undefined;
  readonly #dayTimer: ReturnType<typeof setInterval>;
  #topics: readonly string[];
  #day: number = dayOf(Date.now());
  #closing: Promise<void> | undefined;

  constructor(config: EndpointConfig) {
    const emitter = new Emitter<SignallingEvent>();
    super(emitter);
    const { identity, brokers, redundancy, messageBytesMax } = config;
    this.id = identity.id;
    this.#config = config;
    this.#emitter = emitter;
    this.#topics = config.topics;
    const emit = (event: SignallingEvent): void => emitter.emit(event);
    const lanes = new Lanes([...brokers.keys()]);
    this.#sessions = new Sessions(() => this.#pool.retopic());
    const hand = (broker: string, topic: string, frame: Uint8Array) =>
      this.#pool.publish(broker, topic, frame);
    this.#contacts = new Contacts(identity, lanes, this.#sessions, {
      publish: (...args) => hand(...args) === "sent",
      reject: (broker, why) => this.#receiver.reject(broker, why),
      onSession: (peer, reason) => this.#onSession(peer, reason),
    });
    this.#sender = new Sender(
      lanes,
      this.#sessions,
      this.#contacts,
      { ...config, homes: redundancy },
      {
        emit,
        publish: hand,
        standing: (broker) => this.#pool.standing(broker),
        use: (names) => this.#pool.use(names),
      },
    );
    this.#postman = new Postman(this.#sender, lanes);
    this.#acker = new Acker((...args) => hand(...args) === "sent");
    this.#requester = new Requester(this.#postman);
    this.#responder = new Responder({
      emit,
      messageBytesMax,
      answer: (to, answer) => {
        // Its failure is an event, and for the peer a request without answer.
        this.#postman.submit(to, answer, patienceOf("answer", {}))
          .catch(() => {});
      },
    });
    this.#presences = new PresenceBoard({
      emit,
      ask: (peer, timeoutMs, signal) =>
        this.#postman.submit(peer, { type: "probe" }, { timeoutMs, signal }),
    });
    this.#sorter = new Sorter(config, {
      emit,
      onRequest: (from, { requestId, bytes }) =>
        this.#responder.take(from, requestId, bytes),
      onAnswer: (from, answer) => this.#requester.onAnswer(from, answer),
      onBye: (from) => this.#presences.saidBye(from),
    });
    this.#receiver = this.#makeReceiver();
    this.#pool = this.#makePool();
    this.#news = config.network?.on("*", ({ type }) => {
      if (NEWS.has(type)) this.#pool.probe();
    });
    this.#dayTimer = setInterval(() => void this.#checkDay(), DAY_CHECK_MS);
  }

  get state(): SignallingState {
    return {
      brokers: this.#pool.states,
      unacknowledged: this.#sender.size,
      unacknowledgedBytes: this.#sender.bytes,
      unread: this.#sorter.unread,
    };
  }

  async send(
    peerId: string,
    bytes: Uint8Array,
    options: SendOptions = {},
  ): Promise<void> {
    const patience = patienceOf("send", options);
    checkPeer("send", peerId, this.id);
    checkMessage("send", bytes, this.#config.messageBytesMax);
    // A copy: it is sealed later, and may be sent again.
    const copy = bytes.slice();
    if (options.ordered) {
      return await this.#postman.submitOrdered(peerId, copy, patience);
    }
    const content = { type: "message", bytes: copy } as const;
    await this.#postman.submit(peerId, content, patience);
  }

  async request(
    peerId: string,
    bytes: Uint8Array,
    options: RequestOptions = {},
  ): Promise<Uint8Array> {
    const patience = patienceOf("request", options);
    checkPeer("request", peerId, this.id);
    checkMessage("request", bytes, this.#config.messageBytesMax);
    const { requestId = newRequestId() } = options;
    checkRequestId(requestId);
    return await this.#requester.request(
      peerId,
      requestId,
      bytes.slice(),
      patience,
    );
  }

  handle(handler: RequestHandler): Disposable {
    return this.#responder.handle(handler);
  }

  presence(peerId: string): Presence {
    checkPeer("watch the presence", peerId, this.id);
    return this.#presences.watch(peerId);
  }

  receive(
    options?: ReceiveOptions,
  ): AsyncIterableIterator<Message, undefined> {
    return this.#sorter.read(options);
  }

  retry(): void {
    this.#pool.retry();
  }

  stats(): SignallingStats {
    return {
      sent: this.#sender.sent,
      acknowledged: this.#sender.acknowledged,
      copies: this.#sender.copies,
      hellos: this.#contacts.hellos,
      ackFrames: this.#acker.frames,
      delivered: this.#sorter.delivered,
      duplicatesDropped: this.#receiver.duplicatesDropped,
      rejected: this.#receiver.rejected,
    };
  }

  close(): Promise<void> {
    return this.end("close");
  }

  /** Closes it, and says why. */
  end(reason: "close" | "aborted"): Promise<void> {
    return this.#closing ??= this.#end(reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #end(reason: "close" | "aborted"): Promise<void> {
    clearInterval(this.#dayTimer);
    this.#news?.[Symbol.dispose]();
    this.#presences.close();
    // In this order: take nothing more, fail what waits, then let what was
    // accepted be acknowledged while the brokers are still there.
    const work = [this.#receiver.close(), this.#contacts.close()];
    this.#requester.close();
    this.#responder.close();
    this.#sorter.close();
    work.push(this.#sender.sayBye(), this.#acker.close());
    this.#postman.close();
    await withinMs(CLOSE_WORK_MS_MAX, Promise.all(work));
    await this.#pool.close();
    this.#emitter.emit({ type: "closed", reason });
    this.#emitter[Symbol.dispose]();
  }

  #makeReceiver(): Receiver {
    return new Receiver(this.#sessions, {
      emit: (event) => this.#emitter.emit(event),
      onHandshake: (broker, packet) =>
        packet.kind === "hello"
          ? this.#contacts.onHello(broker, packet)
          : this.#contacts.onWelcome(broker, packet),
      onContent: (...args) => this.#sorter.take(...args),
      onAck: (...args) => this.#sender.onAck(...args),
      onAlive: ({ peer }, _broker, fresh) => {
        this.#contacts.isWell(peer);
        this.#presences.heard(peer);
        if (fresh) this.#onSession(peer, "hello");
      },
      acknowledge: (...args) => this.#acker.acknowledge(...args),
    });
  }

  #makePool(): BrokerPool {
    const config = this.#config;
    const emit = (event: SignallingEvent): void => this.#emitter.emit(event);
    return new BrokerPool({
      urls: config.brokers,
      ranked: config.ranked,
      homes: config.redundancy,
      connect: config.connect,
    }, {
      onUp: (broker, back) => {
        const reason = back ? "reconnected" : "connected";
        emit({ type: "broker-up", broker, reason });
        this.#sender.onBrokerUp(broker);
      },
      onDown: (broker, reason, retryInMs) => {
        emit({ type: "broker-down", broker, reason, retryInMs });
        this.#sender.onBrokerDown();
      },
      onSuspect: (broker, suspect) =>
        emit(
          suspect
            ? { type: "broker-suspect", broker, reason: "silent" }
            : { type: "broker-cleared", broker, reason: "heard" },
        ),
      onIsolated: (count) => {
        emit({ type: "isolated", brokers: count, reason: "most-brokers-lost" });
        this.#sender.forgive();
      },
      onFrame: (broker, bytes) => this.#receiver.take(broker, bytes),
      onRetained: (broker) => this.#receiver.reject(broker, "retained"),
      topics: () => [...this.#topics, ...this.#sessions.topics()],
    });
  }

  #onSession(peer: string, reason: "hello" | "welcome"): void {
    this.#emitter.emit({ type: "session-opened", peer, reason });
    this.#sender.onSession(peer);
  }

  async #checkDay(): Promise<void> {
    const day = dayOf(Date.now());
    if (day === this.#day) return;
    this.#day = day;
    this.#topics = await ownTopics(this.id);
    if (this.#closing === undefined) await this.#sessions.retopic(Date.now());
  }
}

function newRequestId(): string {
  return toHex(crypto.getRandomValues(new Uint8Array(16)));
}

async function withinMs(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}
