import { Emitter, EventReader } from "@holdfast/events/emitter";
import { Acker } from "./_acker.ts";
import { BrokerPool } from "./_broker_pool.ts";
import { toHex } from "./_bytes.ts";
import type { Content } from "./_frame.ts";
import { Keyring } from "./_keyring.ts";
import { Lanes } from "./_lanes.ts";
import { Mailbox } from "./_mailbox.ts";
import type { MqttConnect } from "./_mqtt.ts";
import {
  checkMessage,
  checkPeer,
  checkRequestId,
  patienceOf,
} from "./_options.ts";
import { Receiver } from "./_receiver.ts";
import { Requester } from "./_requester.ts";
import { Responder } from "./_responder.ts";
import { Sender } from "./_sender.ts";
import type { SignallingEvent } from "./events.ts";
import type { Identity } from "./identity.ts";
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

/** Everything that an endpoint is made of, checked. */
export interface EndpointConfig {
  readonly identity: Identity;
  /** URLs by the name under which they are shown. */
  readonly brokers: ReadonlyMap<string, string>;
  readonly topic: string;
  readonly connect: MqttConnect;
  readonly messageBytesMax: number;
  readonly outboxMax: number;
  readonly receiveMax: number;
}

/** The parts wired together; each of them knows only what it is told. */
export class Endpoint extends EventReader<SignallingEvent>
  implements Signalling {
  readonly id: string;
  readonly #config: EndpointConfig;
  readonly #emitter: Emitter<SignallingEvent>;
  readonly #pool: BrokerPool;
  readonly #sender: Sender;
  readonly #acker: Acker;
  readonly #receiver: Receiver;
  readonly #requester: Requester;
  readonly #responder: Responder;
  readonly #mailbox: Mailbox;
  #closing: Promise<void> | undefined;

  constructor(config: EndpointConfig) {
    const emitter = new Emitter<SignallingEvent>();
    super(emitter);
    this.id = config.identity.id;
    this.#config = config;
    this.#emitter = emitter;
    const emit = (event: SignallingEvent): void => emitter.emit(event);
    const keyring = new Keyring(config.identity);
    const lanes = new Lanes(keyring);
    const publish = (topic: string, frame: Uint8Array, only?: string): number =>
      this.#pool.publish(topic, frame, only);
    this.#sender = new Sender(lanes, config.outboxMax, { emit, publish });
    this.#acker = new Acker(lanes, publish);
    this.#requester = new Requester(this.#sender);
    this.#mailbox = new Mailbox(config.receiveMax);
    this.#responder = new Responder({
      emit,
      messageBytesMax: config.messageBytesMax,
      answer: (to, answer) => {
        // Its failure is an event, and for the peer a request without answer.
        this.#sender.submit(to, answer, patienceOf("answer", {}))
          .catch(() => {});
      },
    });
    this.#receiver = new Receiver(keyring, config.messageBytesMax, {
      emit,
      onContent: (from, content) => this.#onContent(from, content),
      onAck: (from, ack) => this.#sender.onAck(from, ack),
      acknowledge: (header, again) => this.#acker.acknowledge(header, again),
    });
    this.#pool = new BrokerPool(config.brokers, config.topic, config.connect, {
      onUp: (broker, back) => {
        const reason = back ? "reconnected" : "connected";
        emit({ type: "broker-up", broker, reason });
        this.#sender.onBrokerUp(broker);
      },
      onDown: (broker, reason, retryInMs) =>
        emit({ type: "broker-down", broker, reason, retryInMs }),
      onFrame: (broker, bytes) => this.#receiver.take(broker, bytes),
      onRetained: (broker) => this.#receiver.reject(broker, "retained"),
    });
  }

  get state(): SignallingState {
    return {
      brokers: this.#pool.states,
      unacknowledged: this.#sender.size,
      unread: this.#mailbox.size,
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
    await this.#sender.submit(peerId, { type: "message", bytes }, patience);
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
    return await this.#requester.request(peerId, requestId, bytes, patience);
  }

  handle(handler: RequestHandler): Disposable {
    return this.#responder.handle(handler);
  }

  receive(
    options?: ReceiveOptions,
  ): AsyncIterableIterator<Message, undefined> {
    return this.#mailbox.read(options);
  }

  retry(): void {
    this.#pool.retry();
  }

  stats(): SignallingStats {
    return {
      sent: this.#sender.sent,
      acknowledged: this.#sender.acknowledged,
      copies: this.#sender.copies,
      ackFrames: this.#acker.frames,
      delivered: this.#receiver.delivered,
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
    // In this order: take nothing more, fail what waits, then let what was
    // accepted be acknowledged while the brokers are still there.
    const work = [this.#receiver.close()];
    this.#requester.close();
    this.#responder.close();
    this.#mailbox.close();
    work.push(this.#sender.close(), this.#acker.close());
    await withinMs(CLOSE_WORK_MS_MAX, Promise.all(work));
    await this.#pool.close();
    this.#emitter.emit({ type: "closed", reason });
    this.#emitter[Symbol.dispose]();
  }

  #onContent(from: string, content: Content): boolean {
    switch (content.type) {
      case "message":
        return this.#mailbox.offer({ from, bytes: content.bytes });
      case "request":
        return this.#responder.take(from, content.requestId, content.bytes);
      case "answer":
        this.#requester.onAnswer(from, content);
        return true;
    }
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
