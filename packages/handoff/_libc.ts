/**
 * The C library by scoped FFI: `--allow-ffi=<its path>` is enough, since no
 * `Deno.UnsafePointer` is used. Loaded when first asked for, and never where
 * the permission would have to be asked for.
 */
import { DARWIN, type Layout, LINUX } from "./_libc_layout.ts";

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  dup2: { parameters: ["i32", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "buffer"],
    result: "i32",
  },
  sendmsg: { parameters: ["i32", "buffer", "i32"], result: "isize" },
  recvmsg: { parameters: ["i32", "buffer", "i32"], result: "isize" },
  sendto: {
    parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"],
    result: "isize",
  },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  pipe: { parameters: ["buffer"], result: "i32" },
  geteuid: { parameters: [], result: "u32" },
  mkdir: { parameters: ["buffer", "u32"], result: "i32" },
  chmod: { parameters: ["buffer", "u32"], result: "i32" },
  unlink: { parameters: ["buffer"], result: "i32" },
  // On a thread of its own: it may wait.
  poll: {
    parameters: ["buffer", "u64", "i32"],
    result: "i32",
    nonblocking: true,
  },
  // The address of a buffer, without Deno.UnsafePointer: memcpy(3) gives back
  // where it copied to.
  address: {
    name: "memcpy",
    parameters: ["buffer", "buffer", "usize"],
    result: "u64",
  },
  copyFrom: {
    name: "memcpy",
    parameters: ["buffer", "u64", "usize"],
    result: "u64",
  },
} as const satisfies Deno.ForeignLibraryInterface;

const ERRNO = {
  linux: { name: "__errno_location", parameters: [], result: "u64" },
  darwin: { name: "__error", parameters: [], result: "u64" },
} as const;

const LINUX_ONLY = {
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  readlink: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

type Bytes = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

const DARWIN_ONLY = {
  getpeereid: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions that every system has; see their man pages. */
export interface Symbols {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Bytes, length: number): number;
  listen(fd: number, backlog: number): number;
  accept(fd: number, address: null, length: null): number;
  connect(fd: number, address: Bytes, length: number): number;
  close(fd: number): number;
  shutdown(fd: number, how: number): number;
  dup2(from: number, to: number): number;
  fcntl(fd: number, command: number, value: number): number;
  getsockname(fd: number, address: Bytes, length: Bytes): number;
  getpeername(fd: number, address: Bytes, length: Bytes): number;
  getsockopt(
    fd: number,
    level: number,
    name: number,
    value: Bytes,
    length: Bytes,
  ): number;
  sendmsg(fd: number, msghdr: Bytes, flags: number): bigint;
  recvmsg(fd: number, msghdr: Bytes, flags: number): bigint;
  sendto(
    fd: number,
    bytes: Bytes,
    count: bigint,
    flags: number,
    address: Bytes,
    length: number,
  ): bigint;
  recv(fd: number, bytes: Bytes, count: bigint, flags: number): bigint;
  write(fd: number, bytes: Bytes, count: bigint): bigint;
  read(fd: number, bytes: Bytes, count: bigint): bigint;
  pipe(fds: Bytes): number;
  geteuid(): number;
  mkdir(path: Bytes, mode: number): number;
  chmod(path: Bytes, mode: number): number;
  unlink(path: Bytes): number;
  poll(fds: Bytes, count: bigint, timeoutMs: number): Promise<number>;
  address(to: Bytes, from: Bytes, count: bigint): bigint;
  copyFrom(to: Bytes | Int32Array, from: bigint, count: bigint): bigint;
}

/** Those of Linux. */
export interface LinuxSymbols {
  epoll_ctl(epfd: number, op: number, fd: number, event: Bytes): number;
  readlink(path: Bytes, to: Bytes, count: bigint): bigint;
  accept4(fd: number, address: null, length: null, flags: number): number;
}

/** Those of macOS. */
export interface DarwinSymbols {
  getpeereid(fd: number, uid: Bytes, gid: Bytes): number;
}

/** The C library of this system. */
export interface Libc {
  readonly path: string;
  readonly layout: Layout;
  readonly call: Symbols;
  /** Only on Linux. */
  readonly linux: LinuxSymbols | undefined;
  /** Only on macOS. */
  readonly darwin: DarwinSymbols | undefined;
  /** The error of the last call; ask right after it. */
  errno(): number;
}

/** Where the C library is, by system: glibc's places first, then musl's. */
export const LIBC_PATHS: Readonly<Record<string, readonly string[]>> = {
  "linux-x86_64": [
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib64/libc.so.6",
    "/lib/libc.musl-x86_64.so.1",
    "/usr/lib/libc.so.6",
  ],
  "linux-aarch64": [
    "/lib/aarch64-linux-gnu/libc.so.6",
    "/lib64/libc.so.6",
    "/lib/libc.musl-aarch64.so.1",
    "/usr/lib/libc.so.6",
  ],
  "darwin-x86_64": ["/usr/lib/libSystem.B.dylib"],
  "darwin-aarch64": ["/usr/lib/libSystem.B.dylib"],
};

let loaded: Libc | null | undefined;
const libraries: Deno.DynamicLibrary<Deno.ForeignLibraryInterface>[] = [];
let users = 0;
const closers: Set<() => void> = new Set();

/**
 * Says that somebody uses the library for a time; gives how to say that it is
 * over. After the last one it is unloaded, so that tests with Deno's resource
 * sanitizer see no leak.
 */
export function useLibc(): () => void {
  users++;
  let over = false;
  return () => {
    if (over) return;
    over = true;
    if (--users > 0) return;
    for (const close of closers) close();
    for (const library of libraries.splice(0)) library.close();
    loaded = undefined;
  };
}

/** Runs before the library is unloaded. */
export function beforeUnload(close: () => void): void {
  closers.add(close);
}

/**
 * The C library; `undefined` where it may not be used (no `--allow-ffi` for
 * it) or is not known.
 */
export function libc(): Libc | undefined {
  if (loaded === undefined || loaded === null) loaded = load();
  return loaded ?? undefined;
}

function load(): Libc | null {
  const { os, arch } = Deno.build;
  for (const path of LIBC_PATHS[`${os}-${arch}`] ?? []) {
    // Never a prompt: who did not grant it gets the way without FFI.
    const { state } = Deno.permissions.querySync({ name: "ffi", path });
    if (state !== "granted") continue;
    try {
      return open(path, os as "linux" | "darwin");
    } catch {
      continue; // It is not there, or lacks a function.
    }
  }
  return null;
}

function keep<S extends Deno.ForeignLibraryInterface>(
  library: Deno.DynamicLibrary<S>,
): unknown {
  libraries.push(
    library as unknown as Deno.DynamicLibrary<Deno.ForeignLibraryInterface>,
  );
  return library.symbols;
}

function open(path: string, os: "linux" | "darwin"): Libc {
  const call = keep(Deno.dlopen(path, SYMBOLS)) as unknown as Symbols;
  const { location } = keep(Deno.dlopen(path, { location: ERRNO[os] })) as {
    location(): bigint;
  };
  const linux = os === "linux"
    ? keep(Deno.dlopen(path, LINUX_ONLY)) as unknown as LinuxSymbols
    : undefined;
  const darwin = os === "darwin"
    ? keep(Deno.dlopen(path, DARWIN_ONLY)) as unknown as DarwinSymbols
    : undefined;
  const number = new Int32Array(new ArrayBuffer(4));
  return {
    path,
    layout: os === "linux" ? LINUX : DARWIN,
    call,
    linux,
    darwin,
    errno: () => {
      call.copyFrom(number, location(), 4n);
      return number[0]!;
    },
  };
}

/** Memory that C code may fill: it never moves, as small arrays may. */
export function memory(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(bytes));
}

/** A C string. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text);
  const buffer = memory(bytes.byteLength + 1);
  buffer.set(bytes);
  return buffer;
}
