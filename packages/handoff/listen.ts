import { lookup } from "node:dns/promises";
import { createServer, isIP, type Server } from "node:net";
import { toDenoError } from "./_os_errors.ts";
import type { SocketAddr } from "./_socket_kind.ts";
import { PassableListener } from "./listener.ts";

/** As `Deno.listen` has it; the kernel caps it at `net.core.somaxconn`. */
export const BACKLOG_DEFAULT = 511;

/** Options for {@linkcode listen}. */
export interface PassableListenOptions {
  /**
   * The address or name to listen on.
   *
   * @default {"127.0.0.1"}
   */
  readonly hostname?: string | undefined;
  /** The port; 0 lets the system choose. */
  readonly port: number;
  /**
   * How many connections the kernel queues.
   *
   * @default {511}
   */
  readonly tcpBacklog?: number | undefined;
  /** Aborts the start; a listener that is open is closed by its owner. */
  readonly signal?: AbortSignal | undefined;
}

/** Options for {@linkcode listen} on a Unix socket. */
export interface PassableListenUnixOptions {
  /** The path; it must not exist, and stays when the listener is closed. */
  readonly path: string;
  /**
   * How many connections the kernel queues.
   *
   * @default {511}
   */
  readonly tcpBacklog?: number | undefined;
  /** Aborts the start; a listener that is open is closed by its owner. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Listens on a TCP or Unix socket that can be passed to another process.
 *
 * @example
 * ```ts
 * import { listen } from "@holdfast/handoff";
 * import { assertEquals } from "@std/assert";
 *
 * using listener = await listen({ port: 0 });
 * const { hostname, port } = listener.addr;
 * const [client, conn] = await Promise.all([
 *   Deno.connect({ hostname, port }),
 *   listener.accept(),
 * ]);
 * await conn.write(new TextEncoder().encode("hello"));
 * const buffer = new Uint8Array(8);
 * assertEquals(await client.read(buffer), 5);
 * conn.close();
 * client.close();
 * ```
 *
 * @throws {RangeError} When the port is none.
 * @throws {Deno.errors.AddrInUse} When the port is taken.
 * @throws {Deno.errors.AddrNotAvailable} When this machine has no such address.
 * @throws {Deno.errors.NotCapable} When the permission is missing.
 */
export function listen(
  options: PassableListenOptions,
): Promise<PassableListener>;
/** Listens on a Unix socket that can be passed to another process. */
export function listen(
  options: PassableListenUnixOptions,
): Promise<PassableListener<Deno.UnixAddr>>;
export async function listen(
  options: PassableListenOptions | PassableListenUnixOptions,
): Promise<PassableListener<Deno.Addr>> {
  if ("path" in options) {
    const { path, tcpBacklog = BACKLOG_DEFAULT, signal } = options;
    requireInteger("tcpBacklog", tcpBacklog, 1, 65_535);
    signal?.throwIfAborted();
    return await listenUnix(path, tcpBacklog);
  }
  const { hostname = "127.0.0.1", port, signal } = options;
  const { tcpBacklog = BACKLOG_DEFAULT } = options;
  requireInteger("port", port, 0, 65_535);
  requireInteger("tcpBacklog", tcpBacklog, 1, 65_535);
  signal?.throwIfAborted();
  const host = isIP(hostname) ? hostname : await addressOf(hostname);
  await requireNetPermission(host, port);
  const listener = await startListening({
    host,
    port,
    backlog: tcpBacklog,
    exclusive: true,
  });
  if (!signal?.aborted) return listener;
  listener.close();
  throw signal.reason;
}

/** For this package: a listener on what `net.Server.listen` accepts. */
export function startListening(
  target: { host: string; port: number; backlog: number; exclusive: true } | {
    fd: number;
    backlog: number;
  },
  addr?: SocketAddr,
): Promise<PassableListener<Deno.Addr>> {
  return new Promise((resolve, reject) => {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    server.once("error", (error: Error & { code?: string }) => {
      // Deno 2.9 says EINVAL where the kernel said EADDRNOTAVAIL.
      const absent = "host" in target && error.code === "EINVAL";
      if (absent) error.code = "EADDRNOTAVAIL";
      reject(toDenoError(error));
    });
    server.listen(target, () => {
      const known = addr ?? netAddrOf(server);
      if (known !== undefined) {
        resolve(new PassableListener(server, target.backlog, known));
        return;
      }
      server.close();
      reject(new TypeError("Cannot take a listener: it is not a TCP socket"));
    });
  });
}

function netAddrOf(server: Server): Deno.NetAddr | undefined {
  const address = server.address();
  return typeof address === "object" && address !== null
    ? { hostname: address.address, port: address.port, transport: "tcp" }
    : undefined;
}

/**
 * Listens on a Unix socket. `node:net` removes the path of a server that it
 * closes, so the path is out of the way while the listener takes the socket
 * over; nobody knows of it yet.
 */
async function listenUnix(
  path: string,
  backlog: number,
): Promise<PassableListener<Deno.UnixAddr>> {
  for (const name of ["read", "write"] as const) {
    const { state } = await Deno.permissions.request({ name, path });
    if (state !== "granted") {
      throw new Deno.errors.NotCapable(
        `Cannot listen on ${path}: the permission is missing: run with --allow-${name}=${path}`,
      );
    }
  }
  return await new Promise((resolve, reject) => {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    server.once("error", (error) => reject(toDenoError(error)));
    server.listen({ path, backlog }, () => {
      const aside = `${path}.${crypto.randomUUID().slice(0, 8)}`;
      Deno.renameSync(path, aside);
      const addr: Deno.UnixAddr = { transport: "unix", path };
      const listener = new PassableListener(server, backlog, addr);
      Deno.renameSync(aside, path);
      resolve(listener);
    });
  });
}

async function addressOf(hostname: string): Promise<string> {
  try {
    return (await lookup(hostname)).address;
  } catch (error) {
    if ((error as { code?: string }).code !== "EPERM") throw error;
    throw notAllowed(hostname, error);
  }
}

/**
 * Asks first: without the permission, node:net throws in a later turn, where
 * nobody can catch it.
 */
async function requireNetPermission(host: string, port: number): Promise<void> {
  const address = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const { state } = await Deno.permissions.request({
    name: "net",
    host: address,
  });
  if (state === "granted") return;
  throw notAllowed(address);
}

function notAllowed(address: string, cause?: unknown): Error {
  return new Deno.errors.NotCapable(
    `Cannot listen on ${address}: the permission is missing: run with --allow-net=${address}`,
    { cause },
  );
}

function requireInteger(
  name: string,
  value: number,
  min: number,
  max: number,
): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new RangeError(
    `Cannot listen: ${name} must be an integer from ${min} to ${max}: current value is ${value}`,
  );
}
