/** HTTP servers on a listener that goes from process to process. */
import type { Server as HttpServer, ServerResponse } from "node:http";
import { Server } from "node:net";
import { setImmediate } from "node:timers";
import {
  type DenoServeOptions,
  type DenoServer,
  serveFd,
} from "./_deno_serve.ts";
import { libc } from "./_libc.ts";
import { needsFfi } from "./_not_supported.ts";
import type { SocketAddr } from "./_socket_kind.ts";
import { consume, keptSocketOf, type PassableListener } from "./listener.ts";

/** How a server is to finish; see {@linkcode ServedListener.drain}. */
export interface DrainOptions {
  /**
   * How long connections that are open may take, until they are cut.
   *
   * @default {30000}
   */
  readonly timeoutMs?: number | undefined;
  /**
   * How long answers say `Connection: close` before idle connections are
   * closed, so that none is closed under a request.
   *
   * @default {300}
   */
  readonly lingerMs?: number | undefined;
  /** Cuts at once what is open when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** A server on a listener that can be passed on. */
export interface ServedListener {
  /** Whether it accepts. */
  readonly accepting: boolean;
  /**
   * Finishes: accepts nothing more, tells clients to come back, answers what
   * was asked, and closes. What is left after `timeoutMs` is cut.
   *
   * @returns Whether nothing had to be cut.
   */
  drain(options?: DrainOptions): Promise<boolean>;
}

/**
 * `Deno.serve` on a listener of this package. It accepts when the listener is
 * not paused, so an `Upgrader` stops and starts it; the socket stays open for
 * the next process. Needs `--allow-ffi`, and `--allow-net=127.0.0.1`.
 *
 * @example
 * ```ts ignore
 * import { listen, serveDeno } from "@holdfast/handoff";
 *
 * using web = await listen({ port: 8080 });
 * const served = serveDeno(web, () => new Response("hello"));
 * await served.drain();
 * ```
 *
 * @throws {HandoffError} `handoff/not-supported` without FFI, or where this
 *   Deno works in another way: `serveNode` needs neither.
 */
export function serveDeno(
  listener: PassableListener,
  handler: Deno.ServeHandler,
  options: DenoServeOptions = {},
): ServedListener {
  const library = libc();
  if (library === undefined) {
    throw needsFfi(
      "let Deno.serve take a socket over",
      "use serveNode with a server of node:http",
    );
  }
  let closing = false;
  const answer: Deno.ServeHandler = async (request, info) => {
    const response = await handler(request, info as never);
    return closing ? withClose(response) : response;
  };
  let current: DenoServer | undefined;
  const parked = new Set<DenoServer>();
  const start = (): void => {
    closing = false;
    const kept = keptSocketOf(listener);
    const fd = kept.duplicate();
    try {
      const addr = listener.addr as SocketAddr;
      current = serveFd(library, fd, addr, options, answer);
    } finally {
      kept.release(fd);
    }
  };
  consume(listener, {
    pause: () => {
      closing = true;
      current?.park();
      if (current !== undefined) parked.add(current);
      current = undefined;
      return Promise.resolve();
    },
    resume: () => {
      if (current === undefined) start();
      // Those that were parked finish their connections beside it.
      for (const one of parked) void one.server.shutdown();
      parked.clear();
    },
  });
  return {
    get accepting() {
      return current !== undefined;
    },
    async drain(drainOptions = {}) {
      await listener.pause();
      const servers = [...parked];
      parked.clear();
      return await finish(
        drainOptions,
        () => Promise.all(servers.map(({ server }) => server.shutdown())),
        () => {},
      );
    },
  };
}

function withClose(response: Response): Response {
  if (response.status === 101) return response;
  const headers = new Headers(response.headers);
  headers.set("connection", "close");
  return new Response(response.body, {
    status: response.status,
    statusText: response.statusText,
    headers,
  });
}

/**
 * A server of `node:http` (or `node:net`) on a listener of this package, as
 * {@linkcode serveDeno}, without any permission.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { listen, serveNode } from "@holdfast/handoff";
 * import { assert, assertEquals } from "@std/assert";
 *
 * using web = await listen({ port: 0 });
 * const server = createServer((_request, response) => response.end("hello"));
 * const served = await serveNode(web, server);
 * const answer = await fetch(`http://127.0.0.1:${web.addr.port}/`);
 * assertEquals(await answer.text(), "hello");
 * assert(await served.drain({ lingerMs: 10 }));
 * ```
 */
export async function serveNode(
  listener: PassableListener<Deno.Addr>,
  server: HttpServer | Server,
): Promise<ServedListener> {
  let closing = false, accepting = false;
  const busy = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => {
    busy.add(socket);
    socket.once("close", () => busy.delete(socket));
  });
  server.prependListener("request", (_request: unknown, response: unknown) => {
    if (closing) (response as ServerResponse).setHeader("connection", "close");
  });
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  consume(listener, {
    pause: async () => {
      closing = true;
      if (!accepting) return;
      accepting = false;
      // In a later turn: what Deno has accepted and not told of yet is lost
      // with a server that is closed before.
      await new Promise((resolve) => setImmediate(resolve));
      const { close } = Server.prototype as { close(this: Server): void };
      close.call(server as Server);
    },
    resume: () => {
      closing = false;
      if (accepting) return;
      accepting = true;
      const fd = keptSocketOf(listener).duplicate();
      server.listen({ fd, backlog: 511 } as never, listening.resolve);
    },
  });
  if (!listener.paused) await listening.promise;
  else listening.promise.catch(() => {});
  return {
    get accepting() {
      return accepting;
    },
    async drain(options = {}) {
      await listener.pause();
      const idle = async (): Promise<void> => {
        while (busy.size > 0) {
          (server as Partial<HttpServer>).closeIdleConnections?.();
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      };
      return await finish(options, idle, () => {
        for (const socket of busy) socket.destroy();
      });
    },
  };
}

async function finish(
  options: DrainOptions,
  close: () => Promise<unknown>,
  cut: () => void,
): Promise<boolean> {
  const { timeoutMs = 30_000, lingerMs = 300, signal } = options;
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), timeoutMs);
  const onAbort = (): void => late.resolve(false);
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  try {
    const done = (async () => {
      await new Promise((resolve) => setTimeout(resolve, lingerMs));
      await close();
      return true;
    })();
    const whole = await Promise.race([done, late.promise]);
    if (!whole) cut();
    return whole;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}
