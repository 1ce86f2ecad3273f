/** Connections that go to a successor, and come back when it fails. */
import process from "node:process";
import { createServer, type Server as HttpServer } from "node:http";
import { holdFd } from "./_hold_fd.ts";
import { detach } from "./detach.ts";
import { type DetachedSocket, handleIn } from "./detached_socket.ts";
import { receiveSockets, type SocketReceiver } from "./receiver.ts";
import { openSender } from "./sender.ts";
import { childOf, type SpawnedProcess } from "./spawned.ts";
import type {
  DetachedConnection,
  HandedConnection,
} from "./upgrade_options.ts";

/** The name of the listener at which a successor is asked for its health. */
export const PROBE_NAME = "holdfast-probe";
const CONNECTIONS_MAX = 1_000_000;

/** One upgrade's connections. */
export class Handing {
  readonly #kept: DetachedConnection[] = [];

  /** Sends them; a duplicate of each stays until `takeBack`. */
  async send(
    successor: SpawnedProcess,
    given: Iterable<HandedConnection>,
  ): Promise<void> {
    const detached: DetachedConnection[] = [];
    for (const { socket, meta } of given) {
      detached.push({ socket: await detach(socket), meta });
    }
    // All of them first: what is not sent when it fails comes back too.
    for (const { socket, meta } of detached) {
      this.#kept.push({ socket: duplicate(socket), meta });
    }
    await using sender = await openSender(successor);
    try {
      for (const { socket, meta } of detached) {
        await sender.send(socket, { meta });
      }
    } finally {
      for (const { socket } of detached) socket[Symbol.dispose]();
      // Its end says that these were all, and it keeps neither process alive.
      const child = childOf(successor);
      if (child.connected) child.disconnect();
    }
  }

  /** The duplicates, which are the caller's. */
  takeBack(): DetachedConnection[] {
    return this.#kept.splice(0);
  }
}

function duplicate(socket: DetachedSocket): DetachedSocket {
  return holdFd(handleIn(socket).fdForIpc(), socket);
}

/** In a successor that was started with node's channel. */
export function connectionsOfParent(): SocketReceiver | undefined {
  if (typeof process.send !== "function") return undefined;
  return receiveSockets({ parent: true }, { waitingMax: CONNECTIONS_MAX });
}

/** Another server that answers as the first does: one listens at one place. */
export function twin(server: HttpServer): HttpServer {
  return createServer((request, response) => {
    server.emit("request", request, response);
  });
}
