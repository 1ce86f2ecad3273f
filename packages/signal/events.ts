import type { PresenceEvent } from "./presence.ts";

/**
 * What happens to signalling, each told with its reason. Plain data, for logs
 * and `--json`; take one of them by `EventOf<SignallingEvent, "sent">` of
 * `@holdfast/events`.
 */
export type SignallingEvent =
  /** A broker has subscribed this end. */
  | {
    readonly type: "broker-up";
    /** Its URL, without a password. */
    readonly broker: string;
    /** Whether it is the first time. */
    readonly reason: "connected" | "reconnected";
  }
  /** A broker is lost, or could not be reached. */
  | {
    readonly type: "broker-down";
    /** Its URL, without a password. */
    readonly broker: string;
    /** What happened, in words: for people, not for programs. */
    readonly reason: string;
    /** The pause before the next attempt, in milliseconds. */
    readonly retryInMs: number;
  }
  /** A broker does not answer; others go first until it does, or is given up. */
  | {
    readonly type: "broker-suspect" | "broker-cleared";
    /** Its URL, without a password. */
    readonly broker: string;
    /** No answer to a ping in time; or something came from it again. */
    readonly reason: "silent" | "heard";
  }
  /** Most brokers were lost at once: it is this end's network, and not them. */
  | {
    readonly type: "isolated";
    /** How many were lost. */
    readonly brokers: number;
    /** Always the same. */
    readonly reason: "most-brokers-lost";
  }
  /** There are keys with a peer, whose identity is proven. */
  | {
    readonly type: "session-opened";
    /** The id of the peer. */
    readonly peer: string;
    /** The peer began, or it answered this end. */
    readonly reason: "hello" | "welcome";
  }
  /** A message of this end was handed to brokers. */
  | {
    readonly type: "sent";
    /** The id of the peer it is for. */
    readonly peer: string;
    /** Its number, per peer. */
    readonly sequence: number;
    /** How many brokers took a copy; 0 while none is up. */
    readonly brokers: number;
    /**
     * The first time; by one more broker since the acknowledgement is late;
     * again for want of it; to a broker that is back; or under new keys. The
     * first time to a peer 0 brokers took it: first contact comes before.
     */
    readonly reason: "new" | "hedge" | "retransmit" | "broker-up" | "session";
  }
  /** The peer has a message of this end. */
  | {
    readonly type: "acknowledged";
    /** The id of the peer. */
    readonly peer: string;
    /** The number of the message. */
    readonly sequence: number;
    /** How many copies were handed to brokers for it. */
    readonly copies: number;
    /** From `send()` on, in milliseconds. */
    readonly elapsedMs: number;
    /** How many travelled together; absent for one. */
    readonly messages?: number;
  }
  /** A message of this end was given up; its promise rejected. */
  | {
    readonly type: "undelivered";
    /** The id of the peer. */
    readonly peer: string;
    /** The number of the message. */
    readonly sequence: number;
    /** Out of time with or without a copy at any broker, aborted, or closed. */
    readonly reason: "unacknowledged" | "no-broker" | "cancelled" | "closed";
  }
  /** Something new came from a peer; `receive()` or `handle()` has its bytes. */
  | {
    readonly type: "delivered";
    /** The id of the peer. */
    readonly from: string;
    /** Its number, per peer and epoch. */
    readonly sequence: number;
    /** The broker whose copy came first. */
    readonly broker: string;
    /** What it carries. */
    readonly content: "message" | "request" | "answer";
  }
  /** A copy was dropped: another one was first, or it is very late. */
  | {
    readonly type: "duplicate-dropped";
    /** The peer id that it names; not authenticated, since it is not opened. */
    readonly from: string;
    /** Its number, per peer and epoch. */
    readonly sequence: number;
    /** The broker that it came by. */
    readonly broker: string;
    /** Known by its number, or too far below the newest one to be new. */
    readonly reason: "copy" | "stale";
    /** How many were dropped so far. */
    readonly total: number;
  }
  /**
   * Something was not accepted, and not acknowledged:
   *
   * - `bad-frame`: no frame of this protocol.
   * - `buffer-full`: nobody takes messages, or too many requests are running;
   *   the sender tries again.
   * - `no-session`: of a session that this end does not have, or has no more.
   * - `not-authentic`: not sealed by the one that it names, for this end.
   * - `overloaded`: too many frames, or too many first contacts, at once.
   * - `retained`: kept by the broker from earlier.
   * - `too-large`: more than a packet of this protocol has.
   */
  | {
    readonly type: "message-rejected";
    /** The broker that it came by. */
    readonly broker: string;
    /** Why. */
    readonly reason:
      | "bad-frame"
      | "buffer-full"
      | "no-session"
      | "not-authentic"
      | "overloaded"
      | "retained"
      | "too-large";
    /** The peer id that it names, where it names one. */
    readonly from?: string;
  }
  /** The function of `handle()` threw; the peer hears only that it failed. */
  | {
    readonly type: "handler-failed";
    /** The id of the peer that asked. */
    readonly from: string;
    /** The message of the error. */
    readonly reason: string;
  }
  /** A peer whose presence is watched came or went. */
  | PresenceEvent
  /** It is over; nothing follows. */
  | {
    readonly type: "closed";
    /** By `close()`, or by the signal of `openSignalling()`. */
    readonly reason: "close" | "aborted";
  };
