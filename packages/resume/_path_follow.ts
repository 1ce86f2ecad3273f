/** What a watch of the network says of the very way that a stream takes. */
import type { Conn } from "./_conn.ts";
import type { NetworkNews, PathNews } from "./connect_options.ts";

/**
 * Follows the transports of a stream, one after the other: drops one whose way
 * is gone, such as with its address. No packet would ever tell of that.
 *
 * @param changed Called when the way is another one, and may be a better one.
 */
export function followPath(
  conn: Conn,
  network: NetworkNews,
  changed: () => void,
): Disposable {
  const stack = new DisposableStack();
  let path: PathNews | undefined;
  const leave = (): void => path?.[Symbol.dispose]();
  const follow = (): void => {
    leave();
    const { localAddr, remoteAddr } = conn;
    try {
      path = network.track?.({ localAddr, remoteAddr });
    } catch {
      path = undefined; // Such as a Unix socket, which has no way to lose.
    }
    path?.on("*", ({ type }) => {
      if (type === "path-lost") conn.fence("path-lost");
      else changed();
    });
  };
  stack.use(conn.on("attached", follow));
  stack.use(conn.on("resumed", follow));
  stack.defer(leave);
  return stack;
}
