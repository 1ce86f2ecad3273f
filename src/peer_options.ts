import type { NetworkWatch } from "@holdfast/netwatch";
import type { ConnectOptions, TransportSource } from "@holdfast/resume";
import type { SessionStore } from "@holdfast/resume/store";
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

/** A port that is open for as long as it is held. */
export interface PortLease extends AsyncDisposable {
  /** What happens to it, if it tells; passed on as `firewall` events. */
  on?(
    type: "*",
    listener: (event: { readonly type: string }) => void,
  ): Disposable;
}

/** Opens a port to others, and says why it cannot by throwing. */
export type OpenPort = (
  request: { readonly port: number; readonly protocol: "tcp" },
) => Promise<PortLease>;

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
  /**
   * The MQTT brokers to meet through, as URLs; two peers need one in common.
   * With none the peer can be reached only by those streams that it restores:
   * `connect` and `signalling` reject with `peer/no-brokers`.
   */
  readonly brokers: readonly string[];
  /**
   * Where to take connections: a place to listen, or a listener, such as one
   * that was inherited. Without it this peer only makes connections.
   */
  readonly listen?: ListenAt | TransportSource | undefined;
  /**
   * Whether others may open streams to this peer. Without `listen` they can if
   * they listen themselves: this peer then makes the connection that they ask
   * for, as it does where a firewall or a NAT stands before its listener.
   *
   * @default {whether it listens}
   */
  readonly accepts?: boolean | undefined;
  /**
   * Addresses to tell other peers instead of the listener's own, such as those
   * of a forwarded port.
   */
  readonly advertise?: readonly Candidate[] | undefined;
  /**
   * Addresses to tell other peers beside the listener's own, such as the public
   * one of a router that forwards a port.
   *
   * @default {[]}
   */
  readonly publicAddresses?: readonly Candidate[] | undefined;
  /**
   * Opens the port of the listener in this machine's firewall, for as long as
   * the peer is open. To give it is the consent. When it fails, `state.limited`
   * says why, and the peer goes on without.
   */
  readonly openPort?: OpenPort | undefined;
  /**
   * Says who may connect. The default lets everybody in who knows this peer's
   * id; the id is proven either way.
   */
  readonly allow?: ((peer: string) => boolean | Promise<boolean>) | undefined;
  /**
   * A watch of the network, which stays the caller's: streams leave a dead path
   * at once, and new addresses are told to the other peers. Without it the
   * peer opens one of its own if it has the permissions; `false` for none.
   */
  readonly network?: NetworkWatch | false | undefined;
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
  /**
   * Keeps the streams that others opened outside this process, so that they
   * outlive it, even if it is killed; see `AcceptOptions` of the resume
   * package. It stays the caller's: close it after the peer.
   */
  readonly store?: SessionStore | undefined;
  /** What of a stream a store keeps; see `AcceptOptions` of the resume package. */
  readonly commits?: "auto" | "manual" | undefined;
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
