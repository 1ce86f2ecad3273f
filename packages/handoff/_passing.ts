/** Sockets of any object, duplicated for a process that is started. */
import { Socket as DatagramSocket } from "node:dgram";
import {
  datagramHandleOf,
  handleOf,
  handles,
  KIND_CONN,
  KIND_LISTENER,
  type RawHandle,
} from "./_handles.ts";
import { notSupported } from "./_not_supported.ts";
import { badResource } from "./_os_errors.ts";
import { isListener } from "./_socket_kind.ts";
import { DetachedSocket, handleIn } from "./detached_socket.ts";
import { keptSocketOf, PassableListener } from "./listener.ts";
import type { PassableSocket } from "./spawn.ts";

/** What gives descriptors to pass. */
export interface Passing {
  /** A descriptor that the caller owns, closed on exec. */
  duplicate(): number;
  /** Closes it, and makes the socket non-blocking again; see `KeptSocket`. */
  release(fd: number): void;
}

/** How to pass a socket. */
export function passingOf(socket: PassableSocket): Passing {
  if (socket instanceof PassableListener) return keptSocketOf(socket);
  const all = handles();
  if (all === undefined) throw notSupported("pass a socket");
  if (socket instanceof DetachedSocket) {
    const handle = handleIn(socket);
    return passing(
      handle,
      () =>
        socket.kind === "udp"
          ? new all.UDP()
          : new all.TCP(isListener(socket.kind) ? KIND_LISTENER : KIND_CONN),
    );
  }
  if (socket instanceof DatagramSocket) {
    return passing(datagramHandleOf(socket), () => new all.UDP());
  }
  const kind = "listening" in socket ? KIND_LISTENER : KIND_CONN;
  return passing(handleOf(socket), () => new all.TCP(kind));
}

function passing(
  handle: RawHandle | undefined,
  make: () => RawHandle,
): Passing {
  if (handle === undefined) {
    throw badResource("Cannot pass a socket: it is closed");
  }
  return {
    duplicate: () => {
      const fd = handle.fdForIpc();
      if (fd >= 0) return fd;
      throw badResource("Cannot pass a socket: it is closed");
    },
    release: (fd) => {
      const closer = make();
      closer.open(fd);
      closer.close();
    },
  };
}
