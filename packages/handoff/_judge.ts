/** Whether a peer and what it sends are as they should be. Pure. */
import type { KernelSocket, PeerCredentials } from "./_kernel_socket.ts";
import { describeKind, formatAddr, type SocketKind } from "./_socket_kind.ts";
import type { SocketNote } from "./_transfer_frame.ts";

/** Which rule was broken, and how. */
export interface Trouble {
  readonly code: string;
  readonly reason: string;
}

/** Whether a peer may talk to this process at all. */
export function judgePeer(
  peer: PeerCredentials | null,
  allowed: number | "any",
): Trouble | null {
  if (allowed === "any") return null;
  if (peer === null) {
    return {
      code: "handoff/not-trusted",
      reason: "the system does not tell who it is",
    };
  }
  return peer.uid === allowed ? null : {
    code: "handoff/not-trusted",
    reason: `it runs as user ${peer.uid}, not ${allowed}`,
  };
}

/**
 * Whether descriptors are what was announced, by the kernel's word. Names
 * decide nothing: what is wrong is refused.
 */
export function judgeSockets(
  notes: readonly SocketNote[],
  found: readonly (KernelSocket | undefined)[],
  wanted: readonly SocketKind[],
): Trouble | null {
  const surprise = (reason: string): Trouble => ({
    code: "handoff/surprise",
    reason,
  });
  for (const [index, note] of notes.entries()) {
    const socket = found[index];
    if (socket === undefined) {
      return surprise(
        `${describeKind(note.kind)} was announced, and another descriptor came`,
      );
    }
    if (socket.kind !== note.kind) {
      return surprise(
        `${describeKind(note.kind)} was announced, and ${
          describeKind(socket.kind)
        } came`,
      );
    }
    const local = formatAddr(socket.localAddr);
    if (note.local !== "" && note.local !== local) {
      return surprise(`${note.local} was announced, and ${local} came`);
    }
    if (!wanted.includes(socket.kind)) {
      return surprise(`${describeKind(socket.kind)} is not wanted here`);
    }
    const stream = socket.kind === "tcp-conn" || socket.kind === "unix-conn";
    if (note.unread > 0 && !stream) {
      return surprise(`${describeKind(socket.kind)} has no unread bytes`);
    }
  }
  return null;
}
