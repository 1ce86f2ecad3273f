/**
 * How the C structures of sockets lie in memory, by system. Pure.
 *
 * Linux: sys/socket.h of glibc and musl on 64 bits, x86_64 and aarch64 alike,
 * pinned against gcc's own `offsetof` by a test. macOS: sys/socket.h of XNU,
 * written from the header and never run on the real system.
 */

/** Where each field of the structures is, and what the constants are. */
export interface Layout {
  readonly os: "linux" | "darwin";
  readonly msghdr: {
    readonly bytes: number;
    readonly name: number;
    readonly namelen: number;
    readonly iov: number;
    readonly iovlen: number;
    /** `size_t` on Linux, `int` on macOS. */
    readonly iovlenBytes: 4 | 8;
    readonly control: number;
    readonly controllen: number;
    /** `size_t` on Linux, `socklen_t` on macOS. */
    readonly controllenBytes: 4 | 8;
    readonly flags: number;
  };
  readonly cmsghdr: {
    /** `size_t` on Linux, `socklen_t` on macOS. */
    readonly lenBytes: 4 | 8;
    readonly level: number;
    readonly type: number;
    readonly data: number;
    readonly align: 4 | 8;
  };
  /** Whether `sockaddr` begins with a length byte. */
  readonly sockaddrLength: boolean;
  readonly AF_UNIX: number;
  readonly AF_INET: number;
  readonly AF_INET6: number;
  readonly SOCK_STREAM: number;
  readonly SOCK_DGRAM: number;
  readonly SOL_SOCKET: number;
  readonly SO_TYPE: number;
  /** Undefined where asking fails: macOS. */
  readonly SO_ACCEPTCONN: number | undefined;
  readonly SO_PROTOCOL: number | undefined;
  /** A number that no other socket of the machine has; Linux only. */
  readonly SO_COOKIE: number | undefined;
  readonly SO_PEERCRED: number | undefined;
  readonly SCM_RIGHTS: number;
  readonly MSG_DONTWAIT: number;
  readonly MSG_CTRUNC: number;
  /** 0 where it does not exist: macOS. */
  readonly MSG_NOSIGNAL: number;
  readonly MSG_CMSG_CLOEXEC: number;
  readonly F_DUPFD_CLOEXEC: number;
  readonly O_NONBLOCK: number;
  readonly EAGAIN: number;
}

/** Linux on 64 bits. */
export const LINUX: Layout = {
  os: "linux",
  msghdr: {
    bytes: 56,
    name: 0,
    namelen: 8,
    iov: 16,
    iovlen: 24,
    iovlenBytes: 8,
    control: 32,
    controllen: 40,
    controllenBytes: 8,
    flags: 48,
  },
  cmsghdr: { lenBytes: 8, level: 8, type: 12, data: 16, align: 8 },
  sockaddrLength: false,
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOL_SOCKET: 1,
  SO_TYPE: 3,
  SO_ACCEPTCONN: 30,
  SO_PROTOCOL: 38,
  SO_COOKIE: 57,
  SO_PEERCRED: 17,
  SCM_RIGHTS: 1,
  MSG_DONTWAIT: 0x40,
  MSG_CTRUNC: 0x8,
  MSG_NOSIGNAL: 0x4000,
  MSG_CMSG_CLOEXEC: 0x40000000,
  F_DUPFD_CLOEXEC: 1030,
  O_NONBLOCK: 0x800,
  EAGAIN: 11,
};

/** macOS; written from its headers, not run. */
export const DARWIN: Layout = {
  os: "darwin",
  msghdr: {
    bytes: 48,
    name: 0,
    namelen: 8,
    iov: 16,
    iovlen: 24,
    iovlenBytes: 4,
    control: 32,
    controllen: 40,
    controllenBytes: 4,
    flags: 44,
  },
  cmsghdr: { lenBytes: 4, level: 4, type: 8, data: 12, align: 4 },
  sockaddrLength: true,
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 30,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOL_SOCKET: 0xffff,
  SO_TYPE: 0x1008,
  SO_ACCEPTCONN: undefined,
  SO_PROTOCOL: undefined,
  SO_COOKIE: undefined,
  SO_PEERCRED: undefined,
  SCM_RIGHTS: 1,
  MSG_DONTWAIT: 0x80,
  MSG_CTRUNC: 0x20,
  MSG_NOSIGNAL: 0,
  MSG_CMSG_CLOEXEC: 0,
  F_DUPFD_CLOEXEC: 67,
  O_NONBLOCK: 0x4,
  EAGAIN: 35,
};

function align(layout: Layout, bytes: number): number {
  const { align } = layout.cmsghdr;
  return Math.ceil(bytes / align) * align;
}

/** How much room descriptors take in a control message: `CMSG_SPACE`. */
export function controlSpace(layout: Layout, fds: number): number {
  return align(layout, layout.cmsghdr.data) + align(layout, fds * 4);
}

function put(view: DataView, at: number, bytes: 4 | 8, value: bigint): void {
  if (bytes === 8) view.setBigUint64(at, value, true);
  else view.setUint32(at, Number(value), true);
}

/** Where the parts of one message are. */
export interface MessageParts {
  /** The address of `iovec`, 16 bytes: base and length. */
  readonly iov: bigint;
  readonly iovCount: number;
  readonly control: bigint;
  readonly controlBytes: number;
}

/** Writes a `msghdr`. */
export function writeMsghdr(
  layout: Layout,
  view: DataView,
  parts: MessageParts,
): void {
  const { msghdr } = layout;
  for (let i = 0; i < msghdr.bytes; i++) view.setUint8(i, 0);
  view.setBigUint64(msghdr.iov, parts.iov, true);
  put(view, msghdr.iovlen, msghdr.iovlenBytes, BigInt(parts.iovCount));
  const { controlBytes } = parts;
  view.setBigUint64(
    msghdr.control,
    controlBytes === 0 ? 0n : parts.control,
    true,
  );
  put(
    view,
    msghdr.controllen,
    msghdr.controllenBytes,
    BigInt(controlBytes),
  );
}

/** Writes one control message with descriptors; gives its length. */
export function writeRights(
  layout: Layout,
  view: DataView,
  fds: readonly number[],
): number {
  const { cmsghdr } = layout;
  const length = align(layout, cmsghdr.data) + fds.length * 4;
  put(view, 0, cmsghdr.lenBytes, BigInt(length));
  view.setInt32(cmsghdr.level, layout.SOL_SOCKET, true);
  view.setInt32(cmsghdr.type, layout.SCM_RIGHTS, true);
  fds.forEach((fd, index) => {
    view.setInt32(align(layout, cmsghdr.data) + index * 4, fd, true);
  });
  return controlSpace(layout, fds.length);
}

/** Reads the descriptors out of what `recvmsg` put into the control buffer. */
export function readRights(
  layout: Layout,
  view: DataView,
  controlBytes: number,
): number[] {
  const { cmsghdr } = layout;
  const header = align(layout, cmsghdr.data);
  const fds: number[] = [];
  let at = 0;
  while (at + header <= controlBytes) {
    const length = cmsghdr.lenBytes === 8
      ? Number(view.getBigUint64(at, true))
      : view.getUint32(at, true);
    if (length < header || at + length > controlBytes) break;
    const rights = view.getInt32(at + cmsghdr.level, true) ===
        layout.SOL_SOCKET &&
      view.getInt32(at + cmsghdr.type, true) === layout.SCM_RIGHTS;
    for (let i = at + header; rights && i + 4 <= at + length; i += 4) {
      fds.push(view.getInt32(i, true));
    }
    at += align(layout, length);
  }
  return fds;
}

/** Reads `msg_controllen` and `msg_flags` after `recvmsg`. */
export function readMsghdr(
  layout: Layout,
  view: DataView,
): { readonly controlBytes: number; readonly flags: number } {
  const { controllen, controllenBytes, flags } = layout.msghdr;
  return {
    controlBytes: controllenBytes === 8
      ? Number(view.getBigUint64(controllen, true))
      : view.getUint32(controllen, true),
    flags: view.getInt32(flags, true),
  };
}
