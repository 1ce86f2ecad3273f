import type { PeerCredentials } from "./_kernel_socket.ts";
import { DetachedSocket, type DetachedSocketParts } from "./detached_socket.ts";

/** What a {@linkcode ReceivedSocket} has beside the socket. */
export interface ReceivedParts extends DetachedSocketParts {
  /** What the sender said beside it. */
  readonly meta: unknown;
  /** Who sent it, by the kernel's word; `null` over node's channel. */
  readonly peer: PeerCredentials | null;
}

/** A socket that another process sent. */
export class ReceivedSocket extends DetachedSocket {
  /**
   * What the sender said beside it: JSON from another process, so look before
   * you trust.
   */
  readonly meta: unknown;
  /** Who sent it, by the kernel's word; `null` over node's channel. */
  readonly peer: PeerCredentials | null;

  /** Use `receiveSockets`. */
  constructor(handle: object, fd: number, parts: ReceivedParts) {
    super(handle, fd, parts);
    this.meta = parts.meta;
    this.peer = parts.peer;
  }
}
