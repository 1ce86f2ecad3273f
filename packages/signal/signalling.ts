import type { Events } from "@holdfast/events";
import type { SignallingEvent } from "./events.ts";
import type { Presence } from "./presence.ts";

/** Options for {@linkcode Signalling.send}. */
export interface SendOptions {
  /** Gives up when aborted; what brokers already have may still arrive. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long to try, in milliseconds.
   *
   * @default {30_000}
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Whether the peer gets it after all ordered messages that were sent before,
   * and before all that are sent later. One that is given up is left out.
   *
   * @default {false}
   */
  readonly ordered?: boolean | undefined;
}

/** Options for {@linkcode Signalling.request}. */
export interface RequestOptions extends Omit<SendOptions, "ordered"> {
  /**
   * 1 to 64 bytes of text that name the request. Who repeats it with the same
   * one, after a time-out or a restart, gets the answer of the first time as
   * long as the peer remembers it (its last 256 answers), and the peer's
   * handler does not run again.
   *
   * @default {random}
   */
  readonly requestId?: string | undefined;
}

/** Options for {@linkcode Signalling.receive}. */
export interface ReceiveOptions {
  /** Ends the iteration when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** A message from a peer. */
export interface Message {
  /** The peer's id: proven, not claimed. */
  readonly from: string;
  /** What it sent. */
  readonly bytes: Uint8Array;
}

/** A request from a peer. */
export interface IncomingRequest extends Message {
  /** Aborted when this end closes: the answer can no longer be sent. */
  readonly signal: AbortSignal;
}

/** Answers requests; what it throws stays here, as a `handler-failed` event. */
export type RequestHandler = (
  request: IncomingRequest,
) => Promise<Uint8Array> | Uint8Array;

/** How one broker stands. */
export interface BrokerState {
  /** Its URL, without a password. */
  readonly url: string;
  /** `up` once it has subscribed this end; `idle` while it is not needed. */
  readonly status: "idle" | "connecting" | "up" | "down" | "closed";
  /** Whether it is one of those that this end's id leads to. */
  readonly home: boolean;
  /** Why it is down, in words. */
  readonly reason?: string;
  /** It does not answer at the moment. */
  readonly suspect?: boolean;
  /** How often it was lost since it last held for 5 s; absent for never. */
  readonly failures?: number;
  /** The MQTT version that it speaks. */
  readonly version?: "3.1.1" | "5";
  /** How long its last answer took, in milliseconds: to a ping, or at first to a subscription. */
  readonly rttMs?: number;
  /** The largest packet that it takes, where it said so or it was learned. */
  readonly frameBytesMax?: number;
}

/** How signalling stands: plain data. */
export interface SignallingState {
  /** Each broker, in the order in which they were given. */
  readonly brokers: readonly BrokerState[];
  /** How many messages wait for the peer's acknowledgement. */
  readonly unacknowledged: number;
  /** How many bytes they have. */
  readonly unacknowledgedBytes: number;
  /** How many messages wait for {@linkcode Signalling.receive}. */
  readonly unread: number;
}

/** Counters since the start. */
export interface SignallingStats {
  /** Messages, requests and answers that were to be sent. */
  readonly sent: number;
  /** How many of them the peer acknowledged. */
  readonly acknowledged: number;
  /** Copies of them handed to brokers. */
  readonly copies: number;
  /** Packets of first contact handed to brokers. */
  readonly hellos: number;
  /** Frames with acknowledgements handed to brokers. */
  readonly ackFrames: number;
  /** Messages, requests and answers that came from peers, each once. */
  readonly delivered: number;
  /** Copies of them that were dropped. */
  readonly duplicatesDropped: number;
  /** Frames that were rejected, see the event `message-rejected`. */
  readonly rejected: number;
}

/**
 * One end of signalling: sends to peers by their id, and hears what they send,
 * over all of its brokers at once.
 */
export interface Signalling extends Events<SignallingEvent>, AsyncDisposable {
  /** The id of this end: what others send to. */
  readonly id: string;
  /** How it stands now; a new object each time. */
  readonly state: SignallingState;
  /**
   * Sends bytes, and resolves when the peer has acknowledged them: when they
   * are authenticated, new, and in the buffer of its `receive()`. That does
   * not mean that its program has seen them; {@linkcode Signalling.request}
   * does. Messages may arrive in another order than they were sent, unless they
   * are `ordered`. What does not fit into one packet goes in pieces.
   *
   * @throws {TypeError} When the peer id is not one.
   * @throws {RangeError} When there are more bytes than `messageBytesMax`.
   * @throws {SignalError} `signal/unacknowledged` or `signal/no-broker` when
   * the time is over, `signal/outbox-full` at once, `signal/closed`.
   */
  send(peerId: string, bytes: Uint8Array, options?: SendOptions): Promise<void>;
  /**
   * Sends bytes and resolves with the peer's answer. Until it comes the
   * request is repeated; the peer's handler runs once all the same.
   *
   * @throws {SignalError} Also `signal/unanswered`, `signal/no-handler` or
   * `signal/handler-failed`.
   */
  request(
    peerId: string,
    bytes: Uint8Array,
    options?: RequestOptions,
  ): Promise<Uint8Array>;
  /**
   * Answers requests with `handler`, until the result is disposed. At most 64
   * run at once; further requests wait at their senders.
   *
   * @throws {TypeError} When there is a handler already.
   */
  handle(handler: RequestHandler): Disposable;
  /**
   * Watches whether a peer is there: by sealed signs of life, and not by what a
   * broker says of a connection. While it is watched it is asked every 20 s if
   * nothing else comes from it; it is offline when it says goodbye, or 50 s
   * after its last sign of life.
   *
   * @throws {TypeError} When the peer id is not one.
   */
  presence(peerId: string): Presence;
  /**
   * Messages as they come, each once; several readers share them. Up to
   * `receiveMax` wait for a reader. Past that nothing is acknowledged, so that
   * senders try again until their time is over: nothing is dropped in silence.
   */
  receive(options?: ReceiveOptions): AsyncIterableIterator<Message, undefined>;
  /**
   * Tries every broker that is down again now, rather than after its pause.
   * For when something says that the network is back.
   */
  retry(): void;
  /** Counters since the start; a new object each time. */
  stats(): SignallingStats;
  /**
   * Ends it within 250 ms: what is unacknowledged rejects with
   * `signal/closed`, what is unread can still be read. A second call waits for
   * the first.
   */
  close(): Promise<void>;
}
