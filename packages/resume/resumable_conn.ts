import type { Events } from "@holdfast/events";
import type { ResumeErrorCode } from "./errors.ts";
import type { DetachReason, ResumeEvent } from "./events.ts";

/** What a resumable connection is doing; a new object each time it changes. */
export type ResumableState =
  | { readonly name: "attached"; readonly epoch: number }
  | {
    readonly name: "detached";
    readonly reason: DetachReason;
    /** Milliseconds on the clock of `performance.now()`. */
    readonly since: number;
  }
  | { readonly name: "closed" }
  | { readonly name: "suspended" }
  | { readonly name: "lost"; readonly code: ResumeErrorCode };

/** Counters of a resumable connection; all in bytes but the last three. */
export interface ResumableStats {
  /** Written by the program here. */
  readonly written: number;
  /** Acknowledged by the peer. */
  readonly acked: number;
  /** Arrived from the peer. */
  readonly arrived: number;
  /** Read by the program here. */
  readonly consumed: number;
  /** Sent again because a transport lost them. */
  readonly replayed: number;
  /** How often a new transport carried on. */
  readonly resumed: number;
  /** The longest time without a transport, in milliseconds. */
  readonly longestPauseMs: number;
}

/**
 * A byte stream that goes on over another transport when one breaks. It is a
 * `Deno.Conn`: what was written arrives exactly once and in order, or reads and
 * writes reject with a `ResumeError`. Cuts show in its events and in a pause,
 * and nowhere else.
 *
 * Errors are those of a `Deno.TcpConn`: `BadResource` after `close`,
 * `Interrupted` for what was pending then, `BrokenPipe` for a write after
 * `closeWrite` or when the peer closed.
 */
export interface ResumableConn
  extends Deno.Conn, Events<ResumeEvent>, AsyncDisposable {
  /** The public id of the session; safe to log. */
  readonly sid: string;
  /** The name of the pre-shared key that the session was opened with; empty without one. */
  readonly keyId: Uint8Array<ArrayBuffer>;
  /** Whether it was started by another process and goes on here. */
  readonly restored: boolean;
  /** Resolves once the stream has ended and everything is released. Never rejects. */
  readonly closed: Promise<void>;
  /** What the connection is doing. */
  readonly state: ResumableState;
  /** The local address of the present transport, or of the last one. */
  readonly localAddr: Deno.Addr;
  /** The peer's address on the present transport, or on the last one. */
  readonly remoteAddr: Deno.Addr;
  /** Bytes that the program wrote: its position in the sending stream. */
  readonly bytesWritten: number;
  /** Bytes that the program read: its position in the receiving stream. */
  readonly bytesRead: number;
  /** What the program committed last, in whichever process; see {@linkcode commit}. */
  readonly appState: Uint8Array<ArrayBuffer> | undefined;
  /**
   * Records, in one step, that the program has made use of the first `offset`
   * bytes of what it reads, its own state after that, and all that it has
   * written so far. Only then is what it wrote sent to the peer. If the server
   * dies, the connection goes on from here with `appState`: nothing is used
   * twice and nothing is answered twice. `appState` is copied at once, and may
   * be reused.
   *
   * At a server with a `store` and `commits: "manual"` only.
   *
   * @returns When it is recorded.
   * @throws {TypeError} At any other connection.
   * @throws {RangeError} For an offset before the last one, or beyond `bytesRead`.
   */
  commit(offset: number, appState: Uint8Array<ArrayBuffer>): Promise<void>;
  /** A snapshot of the counters. */
  stats(): ResumableStats;
  /**
   * Reads up to `into.length` bytes; waits through cuts. Resolves with how
   * many, or with `null` at the end of the stream. When the stream was lost,
   * what had arrived is read first, then it rejects with a `ResumeError`.
   */
  read(into: Uint8Array): Promise<number | null>;
  /**
   * Writes as much as there is room for, which may be less than all, and
   * resolves with how much; waits while the send buffer is full, through cuts
   * as well.
   */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends the sending direction; the peer reads `null` after the last byte. */
  closeWrite(): Promise<void>;
  /**
   * Ends both directions. What was written still goes to the peer in the
   * background, through cuts as well; `closed` tells when it has arrived.
   */
  close(): void;
  /** Ends the session at once on both ends; what has not arrived is dropped. */
  abort(): void;
  /**
   * The receiving direction as a stream; the connection stays open at its end.
   * To cancel it, or to leave an iteration early, is `close`.
   */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** The sending direction as a stream; closing it is `closeWrite`, aborting it `abort`. */
  readonly writable: WritableStream<Uint8Array<ArrayBufferLike>>;
  /** Keeps the program running while the connection is open; the default. */
  ref(): void;
  /** Lets the program end while the connection is idle, or waits to redial. */
  unref(): void;
  /** As `close`, and does nothing when it is closed. */
  [Symbol.dispose](): void;
  /** As `close`, and waits until what was written has arrived. */
  [Symbol.asyncDispose](): Promise<void>;
}
