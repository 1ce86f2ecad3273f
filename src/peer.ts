import type { Events } from "@holdfast/events";
import type { ResumableConn } from "@holdfast/resume";
import type { Signalling } from "@holdfast/signal";
import type { Limitation, PeerEvent } from "./peer_events.ts";
import type { PeerStats } from "./peer_stats.ts";

/** A stream and who is at its other end. */
export interface PeerConnection {
  /** The id of the peer at the other end: proven, not claimed. */
  readonly peer: string;
  /** The name that the one who opened it gave it; empty for none. */
  readonly name: string;
  /** The stream. */
  readonly conn: ResumableConn;
}

/** Options for {@linkcode Peer.connect}. */
export interface PeerConnectOptions {
  /**
   * Tells several streams to one peer apart: up to 64 bytes of text, which the
   * other peer sees.
   *
   * @default {""}
   */
  readonly name?: string | undefined;
  /** Gives up waiting when aborted; close the stream to end it. */
  readonly signal?: AbortSignal | undefined;
}

/** How a peer stands; plain but for the streams. */
export interface PeerState {
  /** The streams that are open, in both directions. */
  readonly streams: readonly PeerConnection[];
  /** Where others can reach it, as `host:port`. */
  readonly candidates: readonly string[];
  /** What its parts cannot do, and why; empty when they can do all. */
  readonly limited: readonly Limitation[];
}

/** One end of a composition: see `openPeer`. */
export interface Peer extends Events<PeerEvent>, AsyncDisposable {
  /** The id of this peer: what others connect to. */
  readonly id: string;
  /**
   * The signalling below, for messages of the program's own.
   *
   * @throws {PeerError} `peer/no-brokers`
   */
  readonly signalling: Signalling;
  /** The address that it listens on, if it does. */
  readonly addr: Deno.Addr | undefined;
  /** How it stands now; a new object each time. */
  readonly state: PeerState;
  /** Counters since the start; a new object each time. */
  stats(): PeerStats;
  /**
   * Opens a stream to the peer of that id, or gives the one of that name which
   * is open or under way. It goes on over new connections, and from and to new
   * addresses of both peers, until one of them closes it.
   *
   * The addresses of both are raced: those of the other peer are dialled, those
   * on the same link first, IPv6 and IPv4 by turns; and where this peer
   * listens, the other one dials it when that takes more than a moment. Only a
   * connection on which both have proven their identity is used.
   *
   * @throws {SignalError} When the other peer did not answer.
   * @throws {PeerError} When it refused, or takes no connections.
   * @throws {DOMException} A `TimeoutError`, when none of its addresses answered.
   */
  connect(peer: string, options?: PeerConnectOptions): Promise<ResumableConn>;
  /**
   * Makes connections from another local address from now on, and moves the
   * streams that this peer opened to it at once. `undefined` leaves the choice
   * to the system.
   */
  moveTo(localAddress: string | undefined): void;
  /**
   * The next stream that another peer opened, or that was restored.
   *
   * @throws {PeerError} `peer/closed` once the peer is closed or suspended.
   */
  accept(): Promise<PeerConnection>;
  /** The streams of others as they come; ends when the peer is closed or suspended. */
  [Symbol.asyncIterator](): AsyncIterableIterator<PeerConnection>;
  /**
   * Stops everything and gives the incoming streams as bytes, for another
   * process to go on with: pass them to `openPeer` as `restore`, with the same
   * identity. Their reads and writes reject with `resume/suspended`;
   * `bytesRead` and `bytesWritten` tell where the program stands. Streams that
   * this peer opened end. The bytes hold secrets: give them to nobody else.
   */
  suspend(): Promise<Uint8Array<ArrayBuffer>>;
  /** Ends every stream, stops listening and leaves the brokers. */
  close(): Promise<void>;
}
