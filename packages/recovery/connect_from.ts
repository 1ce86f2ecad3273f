import net from "node:net";
import type { ConnectContext, DialTarget } from "./dial_options.ts";

/** Where to connect to, and from which own address. */
export interface UplinkTarget extends DialTarget {
  /** The own address: packets leave where the host's rules send this source. */
  readonly localAddress: string;
}

/** A connection of `node:net`, which {@linkcode connectFrom} makes. */
export interface NodeConnection {
  /** The socket, as Node knows it. */
  readonly socket: net.Socket;
  /** Closes it at once. */
  close(): void;
}

/**
 * A connector for `dial` that connects from an address of one's own, for hosts
 * with several uplinks whose rules go by the source: the kernel takes the best
 * route, and does not look whether anything comes back by it. `Deno.connect`
 * takes no local address in Deno 2.9.6, `node:net` does.
 *
 * ```ts
 * import { connectFrom, dial } from "@holdfast/recovery";
 * import { assertEquals } from "@std/assert";
 *
 * using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const target = { hostname: "127.0.0.1", port: listener.addr.port };
 * const uplinks = ["127.0.0.2", "127.0.0.3"]
 *   .map((localAddress) => ({ ...target, localAddress }));
 * const { socket } = await dial(uplinks, { connect: connectFrom });
 * assertEquals(socket.localAddress, "127.0.0.2");
 * socket.destroy();
 * ```
 */
export function connectFrom(
  { hostname, port, localAddress }: UplinkTarget,
  { signal }: ConnectContext,
): Promise<NodeConnection> {
  const socket = net.connect({ host: hostname, port, localAddress });
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    socket.once("error", (error) => {
      signal.removeEventListener("abort", abort);
      reject(error);
    });
    socket.once("connect", () => {
      signal.removeEventListener("abort", abort);
      socket.removeAllListeners("error");
      resolve({ socket, close: () => void socket.destroy() });
    });
    if (signal.aborted) abort();
  });
}
