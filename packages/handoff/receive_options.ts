import type { SocketKind } from "./_socket_kind.ts";
import type { TransferMode } from "./transfer_event.ts";

/** Where sockets come from; see {@linkcode receiveSockets}. */
export type ReceiveSource =
  /** A path, where senders connect. */
  | string
  /** One connected Unix stream socket, by its descriptor. */
  | { readonly fd: number }
  /** The process that started this one with node's channel. */
  | { readonly parent: true };

/** Options for {@linkcode receiveSockets}. */
export interface ReceiveOptions {
  /**
   * What a sender has to know, beside running as the right user.
   *
   * @default {""}
   */
  readonly token?: Uint8Array | string | undefined;
  /**
   * The user that a sender must run as.
   *
   * @default {the user of this process}
   */
  readonly peerUid?: number | "any" | undefined;
  /**
   * What kinds of sockets are wanted; others are refused and closed.
   *
   * @default {all kinds}
   */
  readonly kinds?: readonly SocketKind[] | undefined;
  /**
   * How many sockets may wait for this program; then no more are read, and
   * over node's channel they are refused.
   *
   * @default {256}
   */
  readonly waitingMax?: number | undefined;
  /**
   * How many sockets one peer may send in all.
   *
   * @default {1000000}
   */
  readonly socketsPerPeerMax?: number | undefined;
  /**
   * How many senders may be connected at once.
   *
   * @default {64}
   */
  readonly peersMax?: number | undefined;
  /**
   * The most unread bytes that may come with one socket.
   *
   * @default {16777216}
   */
  readonly unreadBytesMax?: number | undefined;
  /**
   * How long a sender may take to say hello.
   *
   * @default {5000}
   */
  readonly helloTimeoutMs?: number | undefined;
  /**
   * How long a frame may take to come whole, at least.
   *
   * @default {10000}
   */
  readonly frameTimeoutMs?: number | undefined;
  /** Receives what a listener of an event throws. */
  readonly onListenerError?: ((error: unknown) => void) | undefined;
  /** Closes the receiver. */
  readonly signal?: AbortSignal | undefined;
}

/** What a {@linkcode SocketReceiver} is doing. */
export interface ReceiverStatus {
  /** How sockets come. */
  readonly mode: TransferMode;
  /** Whether it receives; `ended` when the parent's channel is closed. */
  readonly phase: "open" | "ended" | "closed";
  /** Sockets that wait for the program. */
  readonly waiting: number;
  /** Senders that are connected. */
  readonly peers: number;
}

/** For this package: checks a limit. */
export function limit(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1 && value < 2 ** 31) {
    return value;
  }
  throw new RangeError(
    `Cannot receive sockets: ${name} must be an integer from 1 to ${
      2 ** 31 - 1
    }: current value is ${value}`,
  );
}
