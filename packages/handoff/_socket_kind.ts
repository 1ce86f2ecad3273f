/** What kinds of sockets there are, and how they are told. Pure. */

/** What a passed socket is. */
export type SocketKind =
  /** A TCP connection. */
  | "tcp-conn"
  /** A connection over a Unix socket. */
  | "unix-conn"
  /** A listening TCP socket. */
  | "tcp-listener"
  /** A listening Unix socket. */
  | "unix-listener"
  /** A UDP socket. */
  | "udp";

/** All kinds, e.g. to check what came from outside. */
export const SOCKET_KINDS: readonly SocketKind[] = [
  "tcp-conn",
  "unix-conn",
  "tcp-listener",
  "unix-listener",
  "udp",
];

/** An address of a socket of any kind. */
export type SocketAddr = Deno.NetAddr | Deno.UnixAddr;

/** Whether the kind is one of {@linkcode SOCKET_KINDS}. */
export function isSocketKind(value: unknown): value is SocketKind {
  return SOCKET_KINDS.includes(value as SocketKind);
}

/** Whether a socket of this kind carries a stream to one peer. */
export function isConn(kind: SocketKind): kind is "tcp-conn" | "unix-conn" {
  return kind === "tcp-conn" || kind === "unix-conn";
}

/** Whether a socket of this kind accepts connections. */
export function isListener(
  kind: SocketKind,
): kind is "tcp-listener" | "unix-listener" {
  return kind === "tcp-listener" || kind === "unix-listener";
}

/** What the socket of a kind is called in a sentence. */
export function describeKind(kind: SocketKind): string {
  return {
    "tcp-conn": "a TCP connection",
    "unix-conn": "a Unix connection",
    "tcp-listener": "a listening TCP socket",
    "unix-listener": "a listening Unix socket",
    "udp": "a UDP socket",
  }[kind];
}

/** `127.0.0.1:80`, `[::1]:80` or `/run/x.sock`, for messages and the wire. */
export function formatAddr(addr: SocketAddr | null): string {
  if (addr === null) return "";
  // Deno has null, against its types, for a Unix socket without a path.
  if ("path" in addr) return addr.path ?? "";
  const { hostname, port } = addr;
  return hostname.includes(":")
    ? `[${hostname}]:${port}`
    : `${hostname}:${port}`;
}
