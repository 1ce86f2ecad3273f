/** What the kernel says about a descriptor, by FFI: getsockname(2) and socket(7). */
import { type Libc, memory } from "./_libc.ts";
import { familyOf, parseSockaddr, SOCKADDR_BYTES } from "./_sockaddr.ts";
import { isConn, type SocketAddr, type SocketKind } from "./_socket_kind.ts";

/** A socket as the kernel describes it. */
export interface KernelSocket {
  readonly kind: SocketKind;
  readonly localAddr: SocketAddr | null;
  readonly remoteAddr: SocketAddr | null;
}

const address = memory(SOCKADDR_BYTES);
const length = new Uint32Array(new ArrayBuffer(4));
const value = new Uint32Array(new ArrayBuffer(12));

/** One number of `getsockopt(SOL_SOCKET)`; `undefined` when it fails. */
export function socketOption(
  { call, layout }: Libc,
  fd: number,
  name: number | undefined,
): number | undefined {
  if (name === undefined) return undefined;
  length[0] = 4;
  const failed = call.getsockopt(fd, layout.SOL_SOCKET, name, value, length);
  return failed === 0 ? value[0] : undefined;
}

/** The kernel's own number of a socket, the same in every duplicate: Linux. */
export function socketCookie(libc: Libc, fd: number): string | undefined {
  const { call, layout } = libc;
  if (layout.SO_COOKIE === undefined) return undefined;
  length[0] = 8;
  const failed = call.getsockopt(
    fd,
    layout.SOL_SOCKET,
    layout.SO_COOKIE,
    value,
    length,
  );
  return failed === 0 ? `${value[0]}:${value[1]}` : undefined;
}

/** Who is at the other end of a Unix socket. */
export interface PeerCredentials {
  /** The process id, where the system tells it; a hint, since ids are reused. */
  readonly pid: number | null;
  /** The effective user id when it connected or listened. */
  readonly uid: number;
  /** The group id. */
  readonly gid: number;
}

/** Who is at the other end: SO_PEERCRED of unix(7), getpeereid(3) on macOS. */
export function peerCredentials(
  { call, layout, darwin }: Libc,
  fd: number,
): PeerCredentials | null {
  if (darwin !== undefined) {
    const gid = new Uint32Array(new ArrayBuffer(4));
    if (darwin.getpeereid(fd, value, gid) !== 0) return null;
    return { pid: null, uid: value[0]!, gid: gid[0]! };
  }
  if (layout.SO_PEERCRED === undefined) return null;
  length[0] = 12;
  const failed = call.getsockopt(
    fd,
    layout.SOL_SOCKET,
    layout.SO_PEERCRED,
    value,
    length,
  );
  if (failed !== 0 || length[0] !== 12) return null;
  return { pid: value[0]!, uid: value[1]!, gid: value[2]! };
}

/** What a descriptor is; `undefined` when it is no socket that we pass. */
export function describeFd(libc: Libc, fd: number): KernelSocket | undefined {
  const { call, layout } = libc;
  const type = socketOption(libc, fd, layout.SO_TYPE);
  if (type === undefined) return undefined;
  const transport = type === layout.SOCK_DGRAM ? "udp" : "tcp";
  length[0] = SOCKADDR_BYTES;
  if (call.getsockname(fd, address, length) !== 0) return undefined;
  const family = familyOf(layout, address);
  const localAddr = parseSockaddr(layout, address, length[0], transport);
  if (localAddr === null) return undefined;
  length[0] = SOCKADDR_BYTES;
  const connected = call.getpeername(fd, address, length) === 0;
  const remoteAddr = connected
    ? parseSockaddr(layout, address, length[0], transport)
    : null;
  const unix = family === layout.AF_UNIX;
  if (type === layout.SOCK_DGRAM) {
    return unix ? undefined : { kind: "udp", localAddr, remoteAddr };
  }
  if (type !== layout.SOCK_STREAM) return undefined;
  const TCP = 6; // SCTP and MPTCP have streams too.
  const protocol = socketOption(libc, fd, layout.SO_PROTOCOL) ?? TCP;
  if (!unix && protocol !== TCP) return undefined;
  const listening = layout.SO_ACCEPTCONN === undefined
    ? !connected // macOS does not tell; a bound socket that is no peer.
    : socketOption(libc, fd, layout.SO_ACCEPTCONN) === 1;
  const kind: SocketKind = unix
    ? listening ? "unix-listener" : "unix-conn"
    : listening
    ? "tcp-listener"
    : "tcp-conn";
  // A connection that broke has no peer any more, and is still one; a socket
  // that was never connected has none either, and cannot be told apart.
  return { kind, localAddr, remoteAddr: isConn(kind) ? remoteAddr : null };
}

/** The descriptors of this process that a test holds for. */
export function* openFds(libc: Libc, max: number = 65_536): Generator<number> {
  const F_GETFD = 1;
  // Descriptors are given out from below: a long gap is the end of them.
  for (let fd = 3, gap = 0; fd < max && gap < 1024; fd++) {
    if (libc.call.fcntl(fd, F_GETFD, 0) < 0) gap++;
    else {
      gap = 0;
      yield fd;
    }
  }
}
