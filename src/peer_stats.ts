import type { WatchStats } from "@holdfast/netwatch";
import type { SignallingStats } from "@holdfast/signal";

/** What a peer has done since it was opened, over all its streams. */
export interface PeerStats {
  /** Streams that are open. */
  readonly open: number;
  /** Streams that this peer opened. */
  readonly connected: number;
  /** Streams that others opened, or that were restored. */
  readonly accepted: number;
  /** Streams that ended early: bytes may be missing. */
  readonly lost: number;
  /** Bytes that the program wrote. */
  readonly writtenBytes: number;
  /** Bytes that the program read. */
  readonly readBytes: number;
  /** Bytes that were sent again. */
  readonly replayedBytes: number;
  /** How often a stream went on over a new connection. */
  readonly resumed: number;
  /** The longest time that a stream had no connection, in milliseconds. */
  readonly longestPauseMs: number;
  /** Questions to other peers: where they are. */
  readonly asked: number;
  /** Questions of other peers that were answered. */
  readonly answered: number;
  /** How often this peer could be reached elsewhere. */
  readonly moves: number;
  /** Connections made for streams that others asked for. */
  readonly called: number;
  /** Connections that others made for streams of this peer. */
  readonly calls: number;
  /** Of the signalling; `undefined` without brokers. */
  readonly signalling: SignallingStats | undefined;
  /** Of the watch of the network; `undefined` without one. */
  readonly network: WatchStats | undefined;
}
