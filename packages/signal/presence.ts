import type { Events } from "@holdfast/events";

/** Whether a peer is there, as far as is known. */
export type PresenceStatus = "unknown" | "online" | "offline";

/** A change of a peer's presence. */
export type PresenceEvent =
  /** Something sealed came from it. */
  | {
    readonly type: "peer-online";
    /** The id of the peer. */
    readonly peer: string;
    /** Its first sign of life, or its first since it was offline. */
    readonly reason: "answered";
  }
  /** It said goodbye, or its lease ran out. */
  | {
    readonly type: "peer-offline";
    /** The id of the peer. */
    readonly peer: string;
    /** Which of the two. */
    readonly reason: "said-bye" | "lease-expired";
  };

/** The watch of one peer's presence; it ends when disposed. */
export interface Presence extends Events<PresenceEvent>, Disposable {
  /** The id of the peer. */
  readonly peer: string;
  /** How it stands now. */
  readonly status: PresenceStatus;
}
