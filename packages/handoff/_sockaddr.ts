/** `sockaddr` structures to addresses and back: ip(7), ipv6(7), unix(7). Pure. */
import type { Layout } from "./_libc_layout.ts";
import type { SocketAddr } from "./_socket_kind.ts";

/** Room for any address: `struct sockaddr_storage`. */
export const SOCKADDR_BYTES = 128;
const UNIX_PATH_AT = 2;
/** `sun_path` on Linux has 108 bytes, on macOS 104, with the NUL. */
const UNIX_PATH_BYTES = { linux: 108, darwin: 104 } as const;

/** What family a socket is of, by the address it has. */
export function familyOf(layout: Layout, bytes: Uint8Array): number {
  // Both systems here are little-endian.
  return layout.sockaddrLength ? bytes[1]! : bytes[0]! | bytes[1]! << 8;
}

/** The address; `null` for one that is not an IP or Unix address. */
export function parseSockaddr(
  layout: Layout,
  bytes: Uint8Array,
  length: number,
  transport: "tcp" | "udp",
): SocketAddr | null {
  if (length < 2) return null;
  const family = familyOf(layout, bytes);
  const port = bytes[2]! << 8 | bytes[3]!;
  if (family === layout.AF_INET) {
    const hostname = bytes.subarray(4, 8).join(".");
    return { transport, hostname, port };
  }
  if (family === layout.AF_INET6) {
    return { transport, hostname: formatIpv6(bytes.subarray(8, 24)), port };
  }
  if (family === layout.AF_UNIX) {
    const path = bytes.subarray(UNIX_PATH_AT, Math.max(UNIX_PATH_AT, length));
    const end = path.indexOf(0, path[0] === 0 ? 1 : 0);
    const text = new TextDecoder().decode(
      end < 0 ? path : path.subarray(0, end),
    );
    return { transport: "unix", path: text };
  }
  return null;
}

/** RFC 5952: lower case, the longest run of zeros shortened. */
function formatIpv6(bytes: Uint8Array): string {
  const groups = Array.from(
    { length: 8 },
    (_, i) => bytes[2 * i]! << 8 | bytes[2 * i + 1]!,
  );
  const mapped = groups.slice(0, 5).every((group) => group === 0) &&
    groups[5] === 0xffff;
  if (mapped) return `::ffff:${bytes.subarray(12).join(".")}`;
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const hex = (part: number[]) => part.map((g) => g.toString(16)).join(":");
  if (best.at < 0) return hex(groups);
  return `${hex(groups.slice(0, best.at))}::${
    hex(groups.slice(best.at + best.length))
  }`;
}

/**
 * The `sockaddr_un` of a path.
 *
 * @throws {RangeError} When the path is longer than the system takes.
 */
export function unixSockaddr(
  layout: Layout,
  path: string,
): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(path);
  const max = UNIX_PATH_BYTES[layout.os] - 1;
  if (text.byteLength === 0 || text.byteLength > max || text.includes(0)) {
    throw new RangeError(
      `Cannot use ${
        JSON.stringify(path)
      } for a Unix socket: a path of 1 to ${max} bytes without NUL is needed: choose a shorter one`,
    );
  }
  const bytes = new Uint8Array(new ArrayBuffer(UNIX_PATH_AT + max + 1));
  if (layout.sockaddrLength) {
    bytes[0] = UNIX_PATH_AT + text.byteLength + 1;
    bytes[1] = layout.AF_UNIX;
  } else bytes[0] = layout.AF_UNIX;
  bytes.set(text, UNIX_PATH_AT);
  return bytes.subarray(0, UNIX_PATH_AT + text.byteLength + 1);
}
