import { isIP } from "node:net";
import { pauseUntil } from "./_pause.ts";
import type {
  Closable,
  ConnectContext,
  DialTarget,
  DialTlsConfig,
} from "./dial_options.ts";
import type { UsableVerdict } from "./_usable_rules.ts";
import { lookAtTables, whenUsable } from "./when_usable.ts";

/** A SYN that is not answered by then may have a source that never works. */
const LOOK_AFTER_MS = 60;
/** For so long after IPv6 worked nobody looks before connecting. */
const KNOWN_GOOD_MS = 5_000;

let workedAt = -Infinity;

/**
 * One TCP connection to one address. An IPv6 source that is still checked for
 * duplicates makes the kernel take another one, with which the connection hangs
 * for two minutes: then it is given up, and made again once that is over, which
 * `gated` tells of.
 */
export async function connectTcp(
  { hostname, port }: DialTarget,
  signal: AbortSignal,
  gated: () => void,
): Promise<Deno.TcpConn> {
  const careful = mayHaveWrongSource(hostname);
  if (careful && performance.now() - workedAt > KNOWN_GOOD_MS) {
    // A SYN from a wrong source also makes the kernel ask for the next hop in
    // vain, and ask again a whole second later only.
    const tables = await lookAtTables(hostname, signal).catch(() => undefined);
    if (hasNoSource(tables)) {
      return await afterGate(hostname, port, signal, gated);
    }
  }
  const conn = await connectNow(hostname, port, signal, gated);
  if (careful) workedAt = performance.now();
  return conn;
}

async function connectNow(
  hostname: string,
  port: number,
  signal: AbortSignal,
  gated: () => void,
): Promise<Deno.TcpConn> {
  const first = new AbortController();
  const ends = AbortSignal.any([signal, first.signal]);
  const connecting = Deno.connect({ hostname, port, signal: ends });
  if (!mayHaveWrongSource(hostname)) return await connecting;
  const settled = connecting.then(() => true, () => true);
  const waiting = new AbortController();
  const late = await Promise.race([
    settled,
    pauseUntil(LOOK_AFTER_MS, waiting.signal),
  ]) !== true;
  waiting.abort();
  if (!late || signal.aborted) return await connecting;
  const tables = await lookAtTables(hostname, signal).catch(() => undefined);
  if (!hasNoSource(tables)) return await connecting;
  first.abort();
  const early = await connecting.catch(() => undefined);
  // It may have come through meanwhile, after all.
  if (early !== undefined) return early;
  return await afterGate(hostname, port, signal, gated);
}

async function afterGate(
  hostname: string,
  port: number,
  signal: AbortSignal,
  gated: () => void,
): Promise<Deno.TcpConn> {
  // Second sockets would have the same source.
  gated();
  await whenUsable({ hostname, port }, { signal, deadlineMs: 2 ** 31 - 1 });
  return await Deno.connect({ hostname, port, signal });
}

function hasNoSource(tables: UsableVerdict | undefined): boolean {
  return tables !== undefined && !tables.usable && SOURCES.has(tables.reason);
}

const SOURCES: ReadonlySet<string> = new Set(["tentative", "no-source"]);

function mayHaveWrongSource(address: string): boolean {
  return isIP(address.replace(/%.*$/, "")) === 6 && address !== "::1";
}

/** Makes TLS of a connection, its handshake included. */
export async function handshake(
  tcp: Deno.TcpConn,
  hostname: string,
  { caCerts, alpnProtocols }: DialTlsConfig,
  signal: AbortSignal,
): Promise<Deno.TlsConn> {
  // Not Deno.connectTls: it takes no signal, and does not wait for a handshake.
  let open: Closable = tcp;
  return await closedOnAbort(() => open, { signal }, async () => {
    const tls = await Deno.startTls(tcp, {
      hostname,
      ...(caCerts && { caCerts }),
      ...(alpnProtocols && { alpnProtocols }),
    });
    open = tls;
    signal.throwIfAborted();
    await tls.handshake();
    return tls;
  });
}

/** Runs a step with a connection, which a failure or the signal closes. */
export async function closedOnAbort<R>(
  connection: () => Closable,
  { signal }: ConnectContext,
  run: () => Promise<R>,
): Promise<R> {
  const close = () => void closeQuietly(connection());
  signal.addEventListener("abort", close, { once: true });
  try {
    const result = await run();
    signal.throwIfAborted();
    return result;
  } catch (error) {
    close();
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}

/** Closes a connection that nobody wants any more. */
export async function closeQuietly(connection: Closable): Promise<void> {
  try {
    await connection.close();
  } catch {
    // It is closed, or as good as that.
  }
}
