/** Taking sockets out of Deno's own objects. Needs FFI. */
import { join } from "./_bytes.ts";
import {
  duplicateFd,
  fdOfDenoConn,
  fdsOfAddress,
  replaceByDummy,
} from "./_deno_fd.ts";
import { holdFd } from "./_hold_fd.ts";
import type { Libc } from "./_libc.ts";
import { needsFfi } from "./_not_supported.ts";
import { gone } from "./_os_errors.ts";
import type { SocketAddr } from "./_socket_kind.ts";
import type { DetachOptions } from "./detach.ts";
import type { DetachedSocket } from "./detached_socket.ts";

/** See `detach`. */
export async function detachDeno(
  library: Libc,
  conn: Deno.Conn<Deno.Addr>,
  options: DetachOptions,
): Promise<DetachedSocket> {
  const fd = fdOfDenoConn(library, conn);
  if (fd === undefined) {
    throw "path" in conn.localAddr
      ? needsFfi(
        "tell which descriptor a Deno Unix connection has, closed or one of several to one path",
        "open it by node:net",
      )
      : gone();
  }
  const localAddr = conn.localAddr as SocketAddr;
  const remoteAddr = conn.remoteAddr as SocketAddr;
  const copy = duplicateFd(library, fd);
  replaceByDummy(library, fd);
  conn.close();
  // A read that had its bytes gives them; one that had none rejects.
  const read = await options.pendingRead?.catch(() => null);
  return holdFd(copy, {
    kind: localAddr.transport === "tcp" ? "tcp-conn" : "unix-conn",
    unread: join([options.unread, read]),
    localAddr,
    remoteAddr,
  });
}

/** See `detach`. */
export function detachDenoListener(
  library: Libc,
  listener: Deno.Listener<Deno.Conn<Deno.Addr>, Deno.Addr>,
): DetachedSocket {
  const localAddr = listener.addr as SocketAddr;
  if (localAddr.transport === "unix") {
    throw needsFfi(
      "detach a Deno listener on a Unix socket: closing it removes its path",
      "open it by listen({ path }) of this package",
    );
  }
  const kind = localAddr.transport === "udp" ? "udp" : "tcp-listener";
  const [fd] = fdsOfAddress(library, localAddr, kind);
  if (fd === undefined) throw gone();
  const copy = duplicateFd(library, fd);
  listener.close();
  return holdFd(copy, { kind, localAddr, remoteAddr: null });
}
