import { isIP } from "node:net";
import { Emitter, relay } from "@holdfast/events/emitter";
import type { NetworkWatch } from "@holdfast/netwatch";
import { dial, type DialTarget, whenUsable } from "@holdfast/recovery";
import {
  connectResumable,
  type Dial,
  type DialContext,
  type ResumableConn,
  type Transport,
} from "@holdfast/resume";
import { followNetwork } from "./_network.ts";
import type { ConnectTarget, ConnectToOptions } from "./connect_options.ts";

// A way that is not usable by then is tried all the same: the dial has a
// deadline of its own, and the next try begins with the same look.
const USABLE_MS = 2_000;

/**
 * Connects to a server of known address that speaks the resume protocol, such
 * as `serve`. The stream goes on over new connections, whatever happens to the
 * network between; each waits until the way there can be used.
 *
 * ```ts
 * import { connect, serve } from "@holdfast/holdfast";
 *
 * await using server = await serve(async (conn) => {
 *   await conn.write(new TextEncoder().encode("welcome"));
 * });
 * const { port } = server.addr as Deno.NetAddr;
 * const conn = await connect(`127.0.0.1:${port}`, { network: false });
 * await conn.readable.pipeTo(new WritableStream());
 * conn.close();
 * await conn.closed;
 * ```
 *
 * @throws {TypeError} For a target that is none.
 * @throws {RecoveryError} When nobody answers.
 * @throws {ResumeError} When the server refuses.
 */
export async function connect(
  target: ConnectTarget,
  options: ConnectToOptions = {},
): Promise<ResumableConn> {
  const { signal, onListenerError } = options;
  signal?.throwIfAborted();
  const followed = await followNetwork(options.network, signal);
  const { network, own, limited } = followed;
  if (limited !== undefined) {
    options.onLimited?.({ part: "network", reason: limited });
  }
  if (own) network?.unref();
  const news = new Emitter<{ readonly type: string }>({ onListenerError });
  if (network !== undefined) relay(network, news);
  const end = (): void => {
    news[Symbol.dispose]();
    if (own) void network?.close();
  };
  try {
    const dial = typeof target === "string" && /^wss?:/.test(target)
      ? await webSockets(target)
      : dialler(targetsOf(target), options, network, news);
    const conn = await connectResumable(dial, { ...options, network: news });
    void conn.closed.then(end);
    return conn;
  } catch (error) {
    end();
    throw error;
  }
}

async function webSockets(url: string): Promise<Dial> {
  const { dialWebSocket } = await import("@holdfast/resume/websocket");
  return dialWebSocket(url);
}

function dialler(
  targets: readonly DialTarget[],
  { tls, dialTimeoutMs = 6_000 }: ConnectToOptions,
  network: NetworkWatch | undefined,
  news: Emitter<{ readonly type: string }>,
): Dial {
  let path: Disposable | undefined;
  return async ({ attempt, signal }: DialContext): Promise<Transport> => {
    if (attempt > 0) await usable(targets, signal);
    const once = { deadlineMs: dialTimeoutMs, retry: () => false, signal };
    const conn = tls === undefined
      ? await dial(targets, once)
      : await dial(targets, { ...once, tls });
    path?.[Symbol.dispose]();
    try {
      path = network?.track(conn);
      if (path !== undefined) relay(path as never, news);
    } catch {
      path = undefined; // The watch is closed: silence tells it then.
    }
    return conn;
  };
}

/** Waits, after a break, until one of the addresses can be used. */
async function usable(
  targets: readonly DialTarget[],
  signal: AbortSignal,
): Promise<void> {
  // Of a name it is not known which one: its dial waits by itself.
  const [first] = targets.filter(({ hostname }) => isIP(hostname) !== 0);
  if (first === undefined || targets.length > 1) return;
  await whenUsable(first, { deadlineMs: USABLE_MS, signal }).catch(() => {});
  signal.throwIfAborted();
}

/** @throws {TypeError} For what is no target. */
export function targetsOf(target: ConnectTarget): readonly DialTarget[] {
  if (typeof target !== "string") {
    return "hostname" in target ? [target] : target;
  }
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(target);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw new TypeError(
      `Cannot connect to ${
        JSON.stringify(target)
      }: it is neither host:port nor a ws: URL: write IPv6 addresses in brackets`,
    );
  }
  return [{ hostname: (match[1] ?? match[2])!, port }];
}
