/** Descriptors to sockets without a reader, and what they are. */
import {
  handles,
  KIND_CONN,
  KIND_LISTENER,
  type RawHandle,
} from "./_handles.ts";
import { describeFd } from "./_kernel_socket.ts";
import { libc } from "./_libc.ts";
import { notSupported } from "./_not_supported.ts";
import {
  describeKind,
  isListener,
  type SocketAddr,
  type SocketKind,
} from "./_socket_kind.ts";
import { DetachedSocket, type DetachedSocketParts } from "./detached_socket.ts";

/** Takes a descriptor over, as what it is known to be. */
export function holdFd(fd: number, parts: DetachedSocketParts): DetachedSocket {
  return new DetachedSocket(holdHandle(fd, parts.kind), fd, parts);
}

/** The handle alone, for those who make the object themselves. */
export function holdHandle(fd: number, kind: SocketKind): RawHandle {
  const handle = openHandle(fd, kind);
  if (handle !== undefined) return handle;
  throw new Deno.errors.BadResource(
    `Cannot hold descriptor ${fd}: it is not ${describeKind(kind)}`,
  );
}

function openHandle(fd: number, kind: SocketKind): RawHandle | undefined {
  const all = handles();
  if (all === undefined) throw notSupported("hold a descriptor");
  const handle = kind === "udp"
    ? new all.UDP()
    : new all.TCP(isListener(kind) ? KIND_LISTENER : KIND_CONN);
  return handle.open(fd) === 0 ? handle : undefined;
}

/**
 * Takes over a descriptor of any kind, told by the kernel where FFI is
 * permitted, else by what Deno's own handles say (which do not know the path
 * of a Unix socket). `undefined` when it is no socket that we pass: the
 * descriptor is as it was then, and still the caller's.
 */
export function holdAnyFd(
  fd: number,
  unread?: Uint8Array,
): DetachedSocket | undefined {
  const library = libc();
  if (library === undefined) return holdByHandles(fd, unread);
  const found = describeFd(library, fd);
  return found === undefined ? undefined : holdFd(fd, { ...found, unread });
}

function holdByHandles(
  fd: number,
  unread: Uint8Array | undefined,
): DetachedSocket | undefined {
  const all = handles();
  if (all === undefined) throw notSupported("take a descriptor over");
  const type = all.guessHandleType(fd);
  const stream = type === "TCP" || type === "PIPE";
  // A datagram socket is "UNKNOWN" to Deno 2.9.
  if (!stream && type !== "UNKNOWN" && type !== "UDP") return undefined;
  // Opening a connection as a listener fails and takes nothing.
  const tries: readonly [SocketKind, RawHandle][] = stream
    ? [
      [
        type === "TCP" ? "tcp-listener" : "unix-listener",
        new all.TCP(KIND_LISTENER),
      ],
      [type === "TCP" ? "tcp-conn" : "unix-conn", new all.TCP(KIND_CONN)],
    ]
    : [["udp", new all.UDP()]];
  const found = tries.find(([, handle]) => handle.open(fd) === 0);
  if (found === undefined) return undefined;
  const [kind, handle] = found;
  const conn = kind === "tcp-conn";
  return new DetachedSocket(handle, fd, {
    kind,
    unread,
    localAddr: addressOf(handle, "getsockname", kind),
    remoteAddr: conn ? addressOf(handle, "getpeername", kind) : null,
  });
}

function addressOf(
  handle: RawHandle,
  which: "getsockname" | "getpeername",
  kind: SocketKind,
): SocketAddr | null {
  const out: { address?: string; port?: number } = {};
  if (handle[which]?.(out) !== 0 || out.address === undefined) return null;
  const transport = kind === "udp" ? "udp" : "tcp";
  return { transport, hostname: out.address, port: out.port ?? 0 };
}
