import type { NetworkWatch } from "@holdfast/netwatch";
import type { ConnectOptions, TransportSource } from "@holdfast/resume";
import type { Identity } from "@holdfast/signal";
import type { Candidate } from "./_meeting.ts";

/** Where to listen. */
export interface ListenAt {
  /**
   * The address to listen on; `0.0.0.0` or `::` for all.
   *
   * @default {"127.0.0.1"}
   */
  readonly hostname?: string | undefined;
  /** The port; 0 for any. */
  readonly port: number;
}

/** How the streams of a peer behave. */
export type PeerStreamOptions = Pick<
  ConnectOptions,
  | "handshakeTimeoutMs"
  | "heartbeatMs"
  | "receiveWindowBytes"
  | "redialMaxMs"
  | "sendBufferBytes"
>;

/** Options for {@linkcode openPeer}. */
export interface PeerOptions {
  /** Who this peer is: of `createIdentity()` or `importIdentity()`. */
  readonly identity: Identity;
  /** The MQTT brokers to meet through, as URLs; two peers need one in common. */
  readonly brokers: readonly string[];
  /**
   * Where to take connections: a place to listen, or a listener, such as one
   * that was inherited. Without it this peer only makes connections.
   */
  readonly listen?: ListenAt | TransportSource | undefined;
  /**
   * Addresses to tell other peers instead of the listener's own, such as those
   * of a forwarded port.
   */
  readonly advertise?: readonly Candidate[] | undefined;
  /**
   * Says who may connect. The default lets everybody in who knows this peer's
   * id; the id is proven either way.
   */
  readonly allow?: ((peer: string) => boolean | Promise<boolean>) | undefined;
  /** A watch of the network: streams then leave a dead path at once. */
  readonly network?: NetworkWatch | undefined;
  /** The local address to make connections from; the default leaves it to the system. */
  readonly localAddress?: string | undefined;
  /** How streams behave. */
  readonly stream?: PeerStreamOptions | undefined;
  /**
   * How long a stream without a transport is kept, in milliseconds.
   *
   * @default {120_000}
   */
  readonly ttlMs?: number | undefined;
  /** What {@linkcode Peer.suspend} gave, to go on with. */
  readonly restore?: Uint8Array | undefined;
  /** Closes the peer when aborted. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Receives what a listener of events throws.
   *
   * @default {reportError}
   */
  readonly onListenerError?: ((error: unknown) => void) | undefined;
}
