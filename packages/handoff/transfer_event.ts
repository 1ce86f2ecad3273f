import type { SocketKind } from "./_socket_kind.ts";

/** How sockets travel. */
export type TransferMode =
  /** Over a Unix socket between any two processes; needs `--allow-ffi`. */
  | "scm-rights"
  /** Over the channel between parent and child, as in Node; needs no FFI. */
  | "node-ipc";

/** What is told of a socket that travels. */
export interface TransferredSocket {
  /** What it is. */
  readonly kind: SocketKind;
  /** Its own address, e.g. `127.0.0.1:80`; empty when it has none. */
  readonly local: string;
  /** Its peer's. */
  readonly remote: string;
  /** How many unread bytes travel along. */
  readonly unread: number;
}

/** What senders and receivers tell. */
export type TransferEvent =
  /** A sender: the socket is on its way. */
  | { readonly type: "offered"; readonly socket: TransferredSocket }
  /** A sender: the receiver has it, and this process has closed its hold. */
  | { readonly type: "sent"; readonly socket: TransferredSocket }
  /** A receiver: a peer was let in. */
  | {
    readonly type: "peer-joined";
    /** Its process id, where known. */
    readonly pid: number | null;
    /** Its user id, where known. */
    readonly uid: number | null;
  }
  /** A receiver: a socket is here. */
  | {
    readonly type: "received";
    /** Which. */
    readonly socket: TransferredSocket;
    /** The sender's process id, where known. */
    readonly pid: number | null;
  }
  /** A sender or receiver: a socket, or a whole peer, was not taken. */
  | {
    readonly type: "refused";
    /** Which rule it broke. */
    readonly code: string;
    /** In words. */
    readonly reason: string;
    /** Whether this process refused, or the other one. */
    readonly by: "us" | "peer";
    /** The peer's process id, where known. */
    readonly pid: number | null;
  }
  /** A receiver: a peer's connection has ended. */
  | {
    readonly type: "peer-left";
    /** Its process id, where known. */
    readonly pid: number | null;
  };
