/** One socket on its way, and what is told of it. */
import { formatAddr } from "./_socket_kind.ts";
import type { DetachedSocket } from "./detached_socket.ts";
import type { TransferredSocket } from "./transfer_event.ts";

/** One socket that the program sends. */
export interface Entry {
  readonly socket: DetachedSocket;
  readonly meta: unknown;
  /** Whether it goes in a frame of its own: one beside it may be refused. */
  readonly alone: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

/** Unread bytes past which a socket has a frame of its own. */
const SMALL_BYTES = 16 * 1024;
/** What may be said of each of several sockets in one frame. */
const SMALL_META = 400;

/** Whether a socket is too large to share a frame with others. */
export function goesAlone(socket: DetachedSocket, meta: unknown): boolean {
  return socket.unread.byteLength > SMALL_BYTES ||
    (meta !== undefined && JSON.stringify(meta).length > SMALL_META);
}

/** What of a socket is told. */
export function noteOf(socket: DetachedSocket): TransferredSocket {
  const { kind, localAddr, remoteAddr, unread } = socket;
  return {
    kind,
    local: formatAddr(localAddr),
    remote: formatAddr(remoteAddr),
    unread: unread.byteLength,
  };
}
