import type { ResumableConn } from "./resumable_conn.ts";

/** What a stream of messages had in hand when its connection ended. */
export interface MessageRemainder {
  /** What was read of the stream and not yet given out as a message. */
  readonly received: Uint8Array<ArrayBuffer>;
  /** The rest of the one message of which only the beginning was written. */
  readonly unsent: Uint8Array<ArrayBuffer>;
}

/** Options for `messages`. */
export interface MessageOptions {
  /**
   * The longest message, in bytes: a longer one is not sent, and a peer that
   * announces one is not believed. Both ends should use the same.
   *
   * @default {1_048_576}
   */
  readonly messageBytesMax?: number | undefined;
  /** What {@linkcode MessageConn.remainder} gave in the process before. */
  readonly remainder?: MessageRemainder | undefined;
}

/** Options for {@linkcode MessageConn.send} and {@linkcode MessageConn.receive}. */
export interface MessageCallOptions {
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Messages over a {@linkcode ResumableConn}. On the wire each is its length in
 * 4 bytes, big-endian, and then itself.
 */
export interface MessageConn extends AsyncIterable<Uint8Array<ArrayBuffer>> {
  /**
   * The stream below, to close it, and for its events. Whoever reads or writes
   * it directly tears messages.
   */
  readonly conn: ResumableConn;
  /**
   * Sends a message, which may be empty and may be reused at once. Resolves
   * when the stream has taken all of it; waits while its buffer is full.
   * Messages go out in the order of the calls, never mixed. An abort takes back
   * a message of which nothing was written; another one goes on, as its
   * beginning cannot be unsaid.
   *
   * @throws {RangeError} When it is longer than `messageBytesMax`.
   * @throws {ResumeError} When the stream was lost; see `ResumableConn.write`.
   */
  send(
    message: Uint8Array,
    options?: MessageCallOptions,
  ): Promise<void>;
  /**
   * The next message, or `null` at the end of the stream. An abort gives up
   * the wait and loses no message: the next call gets it.
   *
   * @throws {ResumeError} `resume/protocol` when the peer announces a message
   * longer than `messageBytesMax`, or when the stream ends inside one; else
   * see `ResumableConn.read`.
   */
  receive(
    options?: MessageCallOptions,
  ): Promise<Uint8Array<ArrayBuffer> | null>;
  /**
   * What another process needs beside the snapshot of the server when it goes
   * on with the stream: pass it to `messages` there. Ask once the connection
   * is suspended and its calls have settled. `unsent` belongs to the first
   * `send` that rejected: it is finished there and must not be sent again.
   */
  remainder(): MessageRemainder;
}
