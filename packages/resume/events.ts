/** Why a transport no longer carries a stream. */
export type DetachReason =
  /** The transport ended without the stream having ended. */
  | "peer-hung-up"
  /** Reading or writing failed; the event's `error` says how. */
  | "transport-failed"
  /** Three heartbeats without a byte. */
  | "silent"
  /** A newer transport took over. */
  | "replaced"
  /** A network event said that the path is gone. */
  | "path-lost"
  /** The session goes on in another process. */
  | "suspended";

/** What happens to a resumable connection. */
export type ResumeEvent =
  | {
    /** A transport carries the stream for the first time. */
    readonly type: "attached";
    /** Grows by one or more with each transport. */
    readonly epoch: number;
    /** The address that the transport starts from, as text. */
    readonly local: string | undefined;
    /** The address that the transport leads to, as text. */
    readonly remote: string | undefined;
  }
  | {
    /** The transport is gone; what was written is kept. */
    readonly type: "detached";
    /** Why. */
    readonly reason: DetachReason;
    /** What the transport said, if it said something. */
    readonly error: string | undefined;
    /** Bytes written and not acknowledged, kept for the next transport. */
    readonly pendingBytes: number;
  }
  | {
    /** A new transport carries on where the last one broke. */
    readonly type: "resumed";
    /** Grows by one or more with each transport. */
    readonly epoch: number;
    /** How many bytes are sent again because the last transport lost them. */
    readonly replayedBytes: number;
    /** How long the stream had no transport, in milliseconds. */
    readonly pauseMs: number;
    /** The address that the transport starts from, as text. */
    readonly local: string | undefined;
    /** The address that the transport leads to, as text. */
    readonly remote: string | undefined;
  }
  | {
    /** A try to get a new transport failed; another one follows. */
    readonly type: "redial-failed";
    /** 1 for the first try since the stream lost its transport. */
    readonly attempt: number;
    /** Why, in words. */
    readonly error: string;
    /** When the next one starts at the latest, in milliseconds from now. */
    readonly retryMs: number;
  }
  | {
    /**
     * A write has waited for a second or more, although the transport lives:
     * the peer does not read, or the path is slow. Told once, until it goes on.
     */
    readonly type: "slow";
    /** How long it has waited, in milliseconds. */
    readonly blockedMs: number;
    /** Bytes written and not acknowledged. */
    readonly pendingBytes: number;
  }
  | {
    /** The peer goes away soon; the session will go on with its successor. */
    readonly type: "peer-draining";
  }
  | {
    /** The peer is reached elsewhere from now on; the next dial is told. */
    readonly type: "peer-moved";
    /** Where, as the peer says. */
    readonly to: string;
  }
  | {
    /** The stream ended early: bytes may be missing at the peer. */
    readonly type: "lost";
    /** The code of the error that reads and writes now reject with. */
    readonly code: string;
    /** Why, in words. */
    readonly error: string;
    /** How many bytes the peer certainly received. */
    readonly lastAckedOffset: number;
  }
  | {
    /** The stream ended as it should, and everything is released. */
    readonly type: "closed";
  };

/** What happens at a resume server, over all its sessions. */
export type ResumeServerEvent =
  | {
    /** A client opened a session. */
    readonly type: "session-opened";
    /** The public id of the session. */
    readonly sid: string;
    /** Where it comes from. */
    readonly remote: string | undefined;
  }
  | {
    /** A session carries on over a new transport. */
    readonly type: "session-resumed";
    /** The public id of the session. */
    readonly sid: string;
    /** Where it comes from now. */
    readonly remote: string | undefined;
  }
  | {
    /** A session is over. */
    readonly type: "session-ended";
    /** The public id of the session. */
    readonly sid: string;
    /** `closed`, or the code of the error that ended it. */
    readonly reason: string;
  }
  | {
    /**
     * The store of sessions failed. What it was to keep is offered again, and
     * until it is kept, nothing of it is sent or acknowledged.
     */
    readonly type: "store-failed";
    /** Why, in words. */
    readonly error: string;
    /** When it is asked again, in milliseconds from now. */
    readonly retryMs: number;
  }
  | {
    /** A transport was turned away. */
    readonly type: "handshake-refused";
    /** Why, in words. */
    readonly reason: string;
    /** Where it came from. */
    readonly remote: string | undefined;
  };
