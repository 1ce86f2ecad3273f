/**
 * The descriptors under Deno's own connections and listeners: taking them away
 * from Deno without a shutdown. Needs FFI.
 */
import { handles, KIND_CONN } from "./_handles.ts";
import {
  describeFd,
  openFds,
  socketCookie,
  socketOption,
} from "./_kernel_socket.ts";
import { cString, type Libc, memory } from "./_libc.ts";
import { formatAddr, type SocketAddr } from "./_socket_kind.ts";

/** A symbol property of Deno's objects, by its description. */
export function internalOf(object: object, name: string): unknown {
  for (let at: object | null = object; at; at = Object.getPrototypeOf(at)) {
    const symbol = Object.getOwnPropertySymbols(at)
      .find((one) => one.description === name);
    if (symbol !== undefined) {
      return (object as Record<symbol, unknown>)[symbol];
    }
  }
  return undefined;
}

/** The very descriptor of a Deno connection, which Deno goes on owning. */
export function fdOfDenoConn(
  libc: Libc,
  conn: Deno.Conn<Deno.Addr>,
): number | undefined {
  const same = matcher(libc, conn);
  const fd = internalOf(conn, "Deno.internal.fd");
  if (typeof fd === "number" && same(fd)) return fd;
  // Unix clients of one server all have the same addresses: only one that is
  // alone can be told.
  const found = [...openFds(libc)].filter(same);
  return found.length === 1 || "hostname" in conn.localAddr
    ? found[0]
    : undefined;
}

function matcher(
  libc: Libc,
  conn: Deno.Conn<Deno.Addr>,
): (fd: number) => boolean {
  const cookie = cookieOf(libc, conn);
  if (cookie !== undefined) return (fd) => socketCookie(libc, fd) === cookie;
  const local = formatAddr(conn.localAddr as SocketAddr);
  const remote = formatAddr(conn.remoteAddr as SocketAddr);
  return (fd) => {
    const found = describeFd(libc, fd);
    return found !== undefined && formatAddr(found.localAddr) === local &&
      formatAddr(found.remoteAddr) === remote;
  };
}

/** Linux numbers its sockets: that of a connection, by a borrowed handle. */
function cookieOf(
  libc: Libc,
  conn: Deno.Conn<Deno.Addr>,
): string | undefined {
  const rid = internalOf(conn, "Deno.internal.rid");
  const all = handles();
  if (typeof rid !== "number" || all === undefined) return undefined;
  const handle = new all.TCP(KIND_CONN);
  if (typeof handle.openFromRid !== "function") return undefined;
  if (handle.openFromRid(rid) !== 0) return undefined;
  const copy = handle.fdForIpc();
  handle.close();
  if (copy < 0) return undefined;
  const cookie = socketCookie(libc, copy);
  libc.call.close(copy);
  return cookie;
}

/** The descriptors of a Deno listener or datagram socket, by its address. */
export function fdsOfAddress(
  libc: Libc,
  addr: SocketAddr,
  kind: "tcp-listener" | "unix-listener" | "udp",
): number[] {
  const wanted = formatAddr(addr);
  return [...openFds(libc)].filter((fd) => {
    const found = describeFd(libc, fd);
    return found?.kind === kind && formatAddr(found.localAddr) === wanted;
  });
}

/**
 * Puts an unconnected socket in the place of a descriptor that Deno goes on
 * owning, so that what Deno does to it from now on (`close()` shuts a
 * connection down) meets nobody. The socket itself must have been duplicated.
 */
export function replaceByDummy(libc: Libc, fd: number): void {
  const { call, layout } = libc;
  const type = socketOption(libc, fd, layout.SO_TYPE) ?? layout.SOCK_STREAM;
  // First: Deno's event loop would go on hearing of the socket through its
  // other descriptors, after it has forgotten whom the news is for.
  leaveEpoll(libc, fd);
  const dummy = call.socket(layout.AF_INET, type, 0);
  if (dummy < 0) {
    throw Object.assign(
      new Error(
        "Cannot detach a socket: this process has no descriptor left: close some, or raise its limit (ulimit -n)",
      ),
      { code: "EMFILE" },
    );
  }
  // Deno may try to read from it once more; it must not wait.
  const F_SETFL = 4;
  call.fcntl(dummy, F_SETFL, layout.O_NONBLOCK);
  replaceFd(libc, dummy, fd);
}

/** Moves a descriptor to the number of another one, closed on exec. */
export function replaceFd({ call }: Libc, from: number, to: number): void {
  call.dup2(from, to);
  call.close(from);
  const F_SETFD = 2, FD_CLOEXEC = 1;
  call.fcntl(to, F_SETFD, FD_CLOEXEC);
}

/** Duplicates a descriptor, closed on exec. */
export function duplicateFd({ call, layout }: Libc, fd: number): number {
  const copy = call.fcntl(fd, layout.F_DUPFD_CLOEXEC, 3);
  if (copy >= 0) return copy;
  throw Object.assign(
    new Error(
      "Cannot duplicate a socket: this process has no descriptor left: close some, or raise its limit (ulimit -n)",
    ),
    { code: "EMFILE" },
  );
}

/**
 * Takes a descriptor out of whichever epoll instance of Deno watches it:
 * epoll(7) goes on reporting a socket for as long as any duplicate is open, in
 * any process. On macOS kqueue(2) forgets a descriptor that is replaced.
 */
export function leaveEpoll(libc: Libc, fd: number): void {
  const { linux } = libc;
  if (linux === undefined) return;
  const EPOLL_CTL_DEL = 2;
  const event = memory(16);
  const left = (epoll: number): boolean =>
    linux.epoll_ctl(epoll, EPOLL_CTL_DEL, fd, event) === 0;
  if (knownEpolls.some(left)) return;
  knownEpolls = epollFds(libc);
  knownEpolls.some(left);
}

// Deno keeps them for as long as it runs.
let knownEpolls: readonly number[] = [];

function epollFds(libc: Libc): number[] {
  const target = memory(64);
  const wanted = "anon_inode:[eventpoll]";
  const decoder = new TextDecoder();
  return [...openFds(libc)].filter((fd) => {
    const count = libc.linux!.readlink(
      cString(`/proc/self/fd/${fd}`),
      target,
      64n,
    );
    return count > 0n &&
      decoder.decode(target.subarray(0, Number(count))) === wanted;
  });
}
