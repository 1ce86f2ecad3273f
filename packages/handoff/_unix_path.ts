/** Unix sockets at a path, by FFI: descriptors pass through them. */
import { dirname } from "node:path";
import { HandoffError } from "./error.ts";
import { cString, type Libc } from "./_libc.ts";
import { pollerOf, POLLIN } from "./_poller.ts";
import { unixSockaddr } from "./_sockaddr.ts";

const BACKLOG = 64;
const SOCK_CLOEXEC = 0x80000; // Linux; macOS sets it afterwards.

/** A new Unix stream socket, closed on exec. */
function unixSocket({ call, layout, linux }: Libc): number {
  const type = layout.SOCK_STREAM | (linux === undefined ? 0 : SOCK_CLOEXEC);
  const fd = call.socket(layout.AF_UNIX, type, 0);
  if (fd >= 0) return fd;
  throw Object.assign(
    new Error(
      "Cannot open a Unix socket: this process has no descriptor left: close some, or raise its limit (ulimit -n)",
    ),
    { code: "EMFILE" },
  );
}

/** @throws {RangeError} For an abstract socket, which has no permissions. */
export function requirePath(path: string): void {
  if (path.startsWith("\0") || path.startsWith("@")) {
    throw new RangeError(
      `Cannot use ${
        JSON.stringify(path)
      }: any user may connect to an abstract socket: use a path in a folder of your own`,
    );
  }
}

/**
 * Listens at a path, in a folder that only this user can enter; the folder is
 * made if it is missing.
 *
 * @throws {HandoffError} `handoff/insecure-path` when others can.
 */
export function listenAt(library: Libc, path: string): number {
  requirePath(path);
  const address = unixSockaddr(library.layout, path);
  requirePrivateFolder(library, path);
  const fd = unixSocket(library);
  const { call } = library;
  let failed = call.bind(fd, address, address.byteLength);
  if (failed !== 0 && isStale(library, path)) {
    // Nobody listens there: what a killed process left.
    call.unlink(cString(path));
    failed = call.bind(fd, address, address.byteLength);
  }
  const errno = failed === 0 ? 0 : library.errno();
  if (failed === 0) {
    call.chmod(cString(path), 0o600);
    if (call.listen(fd, BACKLOG) === 0) return fd;
  }
  call.close(fd);
  throw new Deno.errors.AddrInUse(
    `Cannot listen at ${path}: ${
      errno === 0 ? "listen failed" : `bind failed with error ${errno}`
    }: another process listens there, or the folder may not be written to`,
  );
}

function requirePrivateFolder(library: Libc, path: string): void {
  const folder = dirname(path);
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(folder);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    Deno.mkdirSync(folder, { mode: 0o700 });
    info = Deno.statSync(folder);
  }
  const others = (info.mode ?? 0) & 0o077;
  const own = library.call.geteuid();
  if (info.isDirectory && others === 0 && info.uid === own) return;
  throw new HandoffError(
    "handoff/insecure-path",
    `Cannot listen at ${path}: its folder ${
      info.uid === own
        ? `has mode ${((info.mode ?? 0) & 0o777).toString(8)}`
        : "belongs to another user"
    }: use a folder with mode 700 of your own, such as one in $XDG_RUNTIME_DIR`,
  );
}

/** Whether a socket is at the path that nobody listens on. */
function isStale(library: Libc, path: string): boolean {
  const ECONNREFUSED = library.layout.os === "linux" ? 111 : 61;
  const fd = unixSocket(library);
  const { call } = library;
  const address = unixSockaddr(library.layout, path);
  const failed = call.connect(fd, address, address.byteLength);
  const stale = failed !== 0 && library.errno() === ECONNREFUSED;
  call.close(fd);
  return stale;
}

/** Removes the path of a listener that is closed. */
export function removePath({ call }: Libc, path: string): void {
  call.unlink(cString(path));
}

/**
 * Connects to a path; `undefined` when its queue is full for the moment.
 *
 * @throws {HandoffError} `handoff/peer-gone` when nobody listens there.
 */
export function connectTo(library: Libc, path: string): number | undefined {
  requirePath(path);
  const address = unixSockaddr(library.layout, path);
  const fd = unixSocket(library);
  const { call, layout } = library;
  const F_SETFL = 4;
  call.fcntl(fd, F_SETFL, layout.O_NONBLOCK);
  if (call.connect(fd, address, address.byteLength) === 0) return fd;
  const errno = library.errno();
  call.close(fd);
  if (errno === layout.EAGAIN) return undefined;
  const ENOENT = 2, EACCES = 13;
  const why = errno === ENOENT
    ? "there is no such path"
    : errno === EACCES
    ? "this user may not"
    : `nobody listens there (error ${errno})`;
  throw new HandoffError(
    "handoff/peer-gone",
    `Cannot connect to ${path}: ${why}: start the receiver first`,
  );
}

/** Accepts one connection; `undefined` when there is none. */
function acceptOne(library: Libc, fd: number): number | undefined {
  const accepted = library.linux === undefined
    ? library.call.accept(fd, null, null)
    : library.linux.accept4(fd, null, null, SOCK_CLOEXEC);
  return accepted >= 0 ? accepted : undefined;
}

/** Each connection that comes, as a descriptor, until the signal aborts. */
export async function* acceptAll(
  library: Libc,
  fd: number,
  signal: AbortSignal,
): AsyncGenerator<number, void, void> {
  while (!signal.aborted) {
    const accepted = acceptOne(library, fd);
    if (accepted !== undefined) yield accepted;
    else await pollerOf(library).wait(fd, POLLIN, signal);
  }
}
