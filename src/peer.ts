import type { Events } from "@holdfast/events";
import type { ResumableConn } from "@holdfast/resume";
import type { Signalling } from "@holdfast/signal";
import type { PeerEvent } from "./peer_events.ts";

/** A stream and who is at its other end. */
export interface PeerConnection {
  /** The id of the peer at the other end: proven, not claimed. */
  readonly peer: string;
  /** The stream. */
  readonly conn: ResumableConn;
}

/** Options for {@linkcode Peer.connect}. */
export interface PeerConnectOptions {
  /** Gives up, or ends the stream, when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** One end of a composition: see `openPeer`. */
export interface Peer extends Events<PeerEvent>, AsyncDisposable {
  /** The id of this peer: what others connect to. */
  readonly id: string;
  /** The signalling below, for messages of the program's own. */
  readonly signalling: Signalling;
  /** The address that it listens on, if it does. */
  readonly addr: Deno.Addr | undefined;
  /** The streams that are open, in both directions. */
  readonly state: { readonly streams: readonly PeerConnection[] };
  /**
   * Opens a stream to the peer of that id. It goes on over new connections,
   * and to new addresses of the other peer, until one of them closes it.
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
