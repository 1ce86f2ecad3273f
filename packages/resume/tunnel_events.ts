import type { DetachReason } from "./events.ts";

/** What happens at an end of a tunnel. Connections are numbered from 1 there. */
export type TunnelEvent =
  | {
    /** A connection was taken up, and its target was reached. */
    readonly type: "connection-opened";
    /** Which connection. */
    readonly id: number;
    /** The public id of its session: the same at both ends. */
    readonly sid: string;
    /** Where it leads, as text; empty for the server's own target. */
    readonly target: string;
    /** Where it comes from, as text, if that is known. */
    readonly from: string | undefined;
  }
  | {
    /** It was taken over from the process that had it before. */
    readonly type: "connection-restored";
    /** Which connection, as this process counts. */
    readonly id: number;
    /** The public id of its session: the same as before. */
    readonly sid: string;
    /** Where it leads, as text; empty for the server's own target. */
    readonly target: string;
    /** Where it comes from, as text, if that is known. */
    readonly from: string | undefined;
  }
  | {
    /** Its transport was cut; programs at both ends wait. */
    readonly type: "connection-paused";
    /** Which connection. */
    readonly id: number;
    /** Why. */
    readonly reason: DetachReason;
  }
  | {
    /** It goes on. */
    readonly type: "connection-resumed";
    /** Which connection. */
    readonly id: number;
    /** How long it waited, in milliseconds. */
    readonly pauseMs: number;
    /** Bytes that were sent again. */
    readonly replayedBytes: number;
  }
  | {
    /** Both of its ends have said all that they had to say. */
    readonly type: "connection-closed";
    /** Which connection. */
    readonly id: number;
    /** Bytes from the program here to the other end. */
    readonly sentBytes: number;
    /** Bytes from the other end to the program here. */
    readonly receivedBytes: number;
    /** How many cuts it survived. */
    readonly cuts: number;
  }
  | {
    /** It could not be opened, or one of its ends broke. */
    readonly type: "connection-failed";
    /** Which connection. */
    readonly id: number;
    /** The code of a `ResumeError`, or the name of another error. */
    readonly code: string;
    /** Why, in one sentence. */
    readonly error: string;
  }
  | {
    /** At a server: a transport was turned away, such as one with a wrong key. */
    readonly type: "handshake-refused";
    /** Why, in words. */
    readonly reason: string;
    /** Where it came from. */
    readonly remote: string | undefined;
  };

/** Counters of an end of a tunnel, over all of its connections. */
export interface TunnelStats {
  /** Connections that are open now. */
  readonly open: number;
  /** Those of them that wait for a transport. */
  readonly paused: number;
  /** Connections that were ever taken up. */
  readonly total: number;
  /** Those of them that failed. */
  readonly failed: number;
  /** Bytes from programs here to the other end. */
  readonly sentBytes: number;
  /** Bytes from the other end to programs here. */
  readonly receivedBytes: number;
  /** Cuts that connections survived. */
  readonly cuts: number;
}
