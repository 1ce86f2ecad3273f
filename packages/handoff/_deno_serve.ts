/**
 * `Deno.serve` on a socket that it did not open, by FFI.
 *
 * `Deno.listen({ loadBalanced: true })` keeps one listening descriptor for an
 * address and clones it for every further call with the same address (Deno
 * 2.9, ext/net/tcp.rs). The kept one is replaced by the adopted socket, and the
 * next clone is a listener on that. `Deno.serve` takes the way of the clones
 * when a symbol in its options says so, as `deno serve --parallel` does. What
 * came out is compared with what should, and anything else is a
 * `handoff/not-supported`.
 */
import {
  duplicateFd,
  fdsOfAddress,
  leaveEpoll,
  replaceFd,
} from "./_deno_fd.ts";
import { openFds, socketCookie } from "./_kernel_socket.ts";
import type { Libc } from "./_libc.ts";
import { needsFfi } from "./_not_supported.ts";
import { formatAddr, type SocketAddr } from "./_socket_kind.ts";

/** What `Deno.serve` takes, but for where it listens. */
export type DenoServeOptions = Omit<
  Deno.ServeTcpOptions & Partial<Deno.TlsCertifiedKeyPem>,
  "hostname" | "port" | "transport" | "reusePort"
>;

/** A `Deno.serve` that can stop accepting and go on answering. */
export interface DenoServer {
  readonly server: Deno.HttpServer<Deno.Addr>;
  /** Stops accepting; open connections are served on. */
  park(): void;
}

const KEY = { hostname: "127.0.0.1", port: 0 } as const;

/** Serves on a duplicate of `fd`, which stays the caller's. */
export function serveFd(
  library: Libc,
  fd: number,
  addr: SocketAddr,
  options: DenoServeOptions,
  handler: Deno.ServeHandler,
): DenoServer {
  const anchor = Deno.listen({ ...KEY, loadBalanced: true } as never);
  try {
    const anchorAddr = anchor.addr as unknown as SocketAddr;
    const kept = keptFd(library, anchorAddr);
    const before = new Set(sameSocket(library, fd));
    replaceFd(library, duplicateFd(library, fd), kept);
    const server = Deno.serve(balanced(options), handler);
    const [own, second] = sameSocket(library, fd)
      .filter((one) => !before.has(one) && one !== kept);
    known = { kept, addr: formatAddr(addr) };
    const same = formatAddr(server.addr as SocketAddr) === formatAddr(addr);
    if (!same || own === undefined || second !== undefined) {
      void server.shutdown();
      throw unexpected();
    }
    return { server, park: () => park(library, own) };
  } finally {
    anchor.close();
  }
}

/** The kept descriptor, and the address of what was put in its place. */
let known: { readonly kept: number; readonly addr: string } | undefined;

/** Deno keeps the same one for as long as a clone of it is open. */
function keptFd(library: Libc, anchor: SocketAddr): number {
  if (known?.addr === formatAddr(anchor)) return known.kept;
  // It is made first, and so has the lower number.
  const [kept, clone] = fdsOfAddress(library, anchor, "tcp-listener");
  if (kept === undefined || clone === undefined) throw unexpected();
  return kept;
}

function unexpected(): Error {
  return needsFfi(
    `let Deno.serve take a socket over in Deno ${Deno.version.deno}`,
    "use serveNode with a server of node:http",
  );
}

/** All descriptors of one socket. */
function sameSocket(library: Libc, fd: number): number[] {
  const cookie = socketCookie(library, fd);
  if (cookie === undefined) throw unexpected();
  return [...openFds(library)]
    .filter((one) => socketCookie(library, one) === cookie);
}

/** The options with the symbol that `deno serve --parallel` sets. */
function balanced(options: DenoServeOptions): Deno.ServeTcpOptions {
  const target = { onListen: () => {}, ...options, ...KEY };
  return new Proxy(target as Deno.ServeTcpOptions, {
    get: (object, key, receiver) =>
      typeof key === "symbol" && key.description === "kLoadBalanced"
        ? true
        : Reflect.get(object, key, receiver),
  });
}

/** Puts a socket that nobody connects to in the place of the listener. */
function park(library: Libc, fd: number): void {
  // A listening one: Deno may ask it once more for a connection.
  const idle = Deno.listen(KEY);
  try {
    const [source] = fdsOfAddress(
      library,
      idle.addr as SocketAddr,
      "tcp-listener",
    );
    leaveEpoll(library, fd);
    if (source !== undefined) {
      replaceFd(library, duplicateFd(library, source), fd);
    }
  } finally {
    idle.close();
  }
}
