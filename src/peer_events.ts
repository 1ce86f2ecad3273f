import type { NetworkEvent } from "@holdfast/netwatch";
import type { ResumeEvent } from "@holdfast/resume";
import type { SignallingEvent } from "@holdfast/signal";

/** Something happened to the signalling of a peer. */
export interface PeerSignallingEvent {
  /** The kind of event. */
  readonly type: "signalling";
  /** What happened. */
  readonly event: SignallingEvent;
}

/** Something happened to the network below a peer. */
export interface PeerNetworkEvent {
  /** The kind of event. */
  readonly type: "network";
  /** What happened. */
  readonly event: NetworkEvent;
}

/** Something happened to one stream of a peer. */
export interface PeerStreamEvent {
  /** The kind of event. */
  readonly type: "stream";
  /** The id of the peer at the other end. */
  readonly peer: string;
  /** The public id of the session. */
  readonly sid: string;
  /** What happened. */
  readonly event: ResumeEvent;
}

/** A stream with another peer is there. */
export interface PeerConnectedEvent {
  /** The kind of event. */
  readonly type: "peer-connected";
  /** The id of the peer at the other end: proven, not claimed. */
  readonly peer: string;
  /** The public id of the session. */
  readonly sid: string;
  /** Who asked for it; `restored` when another process had it before. */
  readonly reason: "asked" | "was-asked" | "restored";
}

/** Another peer told where it can be reached. */
export interface PeerLocatedEvent {
  /** The kind of event. */
  readonly type: "peer-located";
  /** Its id. */
  readonly peer: string;
  /** Its addresses, as `host:port`. */
  readonly candidates: readonly string[];
  /** Why it was asked. */
  readonly reason: "connect" | "redial";
}

/** What happens to a peer and all its parts; each event says why. */
export type PeerEvent =
  | PeerConnectedEvent
  | PeerLocatedEvent
  | PeerNetworkEvent
  | PeerSignallingEvent
  | PeerStreamEvent;
