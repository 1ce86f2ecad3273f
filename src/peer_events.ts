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
  /** The name of the stream; empty for the one without. */
  readonly name: string;
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
  /** It was asked, to connect or since it did not answer there; or it said so. */
  readonly reason: "connect" | "moved" | "redial";
}

/** This peer can be reached elsewhere; those it has streams with are told. */
export interface PeerMovedEvent {
  /** The kind of event. */
  readonly type: "moved";
  /** Its addresses now, as `host:port`. */
  readonly candidates: readonly string[];
  /** What made it look: the type of the network's event. */
  readonly reason: string;
  /** How many peers are told. */
  readonly peers: number;
}

/**
 * This peer made the connection for a stream that another one asked for: that
 * one may not get through itself.
 */
export interface PeerCalledEvent {
  /** The kind of event. */
  readonly type: "peer-called";
  /** The id of the other peer. */
  readonly peer: string;
  /** Where it was reached, as `host:port`. */
  readonly to: string;
  /** It asked to meet, or where this peer is; or one of the two moved. */
  readonly reason: "meet" | "moved" | "where";
}

/** What a part cannot do, and why. */
export interface Limitation {
  /** Which part. */
  readonly part: "firewall" | "network" | "signalling";
  /** What it cannot do, why, and what would help, in one sentence. */
  readonly reason: string;
}

/** Something happened to the opened port. */
export interface PeerFirewallEvent {
  /** The kind of event. */
  readonly type: "firewall";
  /** What happened, as the lease tells it. */
  readonly event: { readonly type: string };
}

/** What happens to a peer and all its parts; each event says why. */
export type PeerEvent =
  | PeerCalledEvent
  | PeerFirewallEvent
  | PeerMovedEvent
  | PeerConnectedEvent
  | PeerLocatedEvent
  | PeerNetworkEvent
  | PeerSignallingEvent
  | PeerStreamEvent;
