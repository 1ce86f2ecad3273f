/** What a stream core is given, and what it leaves to another process. */
import type { Budget } from "./_budget.ts";
import type { StreamCut } from "./store.ts";

/** What a core needs to know; all sizes in bytes, all times in milliseconds. */
export interface CoreOptions {
  /** How many unacknowledged bytes `write` may pile up. */
  readonly sendMax: number;
  /** How many bytes the peer may send ahead of the program's reads. */
  readonly window: number;
  /** Silence after which a ping is sent; after three of them the path is dead. */
  readonly heartbeatMs: number;
  /** The memory that it shares with other streams, if it does. */
  readonly budget?: Budget | undefined;
  /**
   * Whether an end that closed waits to hear that its CLOSE arrived. A client
   * does: a server that never hears of it keeps the session for nothing, while
   * a client that comes back too late is told that the session has ended.
   */
  readonly closeIsHeard?: boolean | undefined;
  /**
   * Whether a store keeps the stream: then nothing is sent or acknowledged that
   * it does not have (the output-commit rule of Strom and Yemini, 1985).
   */
  readonly durable?: boolean | undefined;
  /** Proves that tests notice a loss: a new transport replays nothing. */
  readonly skipReplay?: boolean | undefined;
}

/** What a handshake tells of one end. */
export interface Position {
  /** How far it received; one more once it has the end of the stream. */
  readonly received: number;
  /** The offset up to which it may be sent to. */
  readonly limit: number;
}

/** Where a stream begins. */
export const FIRST_CUT: StreamCut = {
  written: 0,
  consumed: 0,
  finQueued: false,
  finRead: false,
  peerClosed: false,
};

/** All that another process needs to go on with a stream. */
export interface CoreState {
  readonly acked: number;
  readonly sentMax: number;
  readonly unacked: Uint8Array<ArrayBuffer>;
  readonly finQueued: boolean;
  readonly received: number;
  readonly unread: Uint8Array<ArrayBuffer>;
  readonly finReceived: boolean;
  readonly peerClosed: boolean;
}
