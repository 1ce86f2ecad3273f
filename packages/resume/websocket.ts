/**
 * Resumable streams over WebSockets: for clients in browsers, and for servers
 * that only HTTP can reach. The client half needs nothing of Deno.
 *
 * ```ts
 * import { acceptResumable, connectResumable } from "@holdfast/resume";
 * import { dialWebSocket, webSocketTransports } from "@holdfast/resume/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * const transports = webSocketTransports();
 * await using http = Deno.serve(
 *   { hostname: "127.0.0.1", port: 0, onListen() {} },
 *   transports.handle,
 * );
 * await using server = acceptResumable(transports);
 *
 * const url = `ws://127.0.0.1:${http.addr.port}/`;
 * const client = await connectResumable(dialWebSocket(url)); // this in a page
 * await client.write(new TextEncoder().encode("hello"));
 *
 * const accepted = await server.accept();
 * const into = new Uint8Array(16);
 * const n = await accepted.read(into);
 * assertEquals(new TextDecoder().decode(into.subarray(0, n!)), "hello");
 * accepted.close();
 * client.close();
 * await client.closed;
 * ```
 *
 * A WebSocket cannot be told to wait for its reader. What bounds the memory of
 * the receiving end is the credit of the stream: a peer sends no more than
 * `receiveWindowBytes` ahead of the program's reads. A message may have up to
 * 256 KiB; the platform holds a longer one whole before it is refused.
 *
 * A WebSocket cannot be dropped either, only closed by agreement. On a dead
 * path Deno keeps it, and the program running, until the system gives up, which
 * takes minutes; browsers give up by themselves. The stream has long gone on
 * over another one.
 *
 * @module
 */
import {
  SUBPROTOCOL,
  WebSocketSource,
  type WebSocketTransports,
  type WebSocketTransportsOptions,
} from "./_websocket_source.ts";
import {
  WebSocketTransport,
  type WebSocketTransportOptions,
} from "./_websocket_transport.ts";
import { inRange } from "./_options.ts";
import { opened, plain, webSocketUrl } from "./_websocket_open.ts";
import type { Dial, DialContext } from "./connect_options.ts";
import { ResumeError } from "./errors.ts";
import type { Transport } from "./transport.ts";
export type {
  WebSocketRequestInfo,
  WebSocketTransports,
  WebSocketTransportsOptions,
} from "./_websocket_source.ts";
export type { WebSocketTransportOptions } from "./_websocket_transport.ts";
export type { TransportSource } from "./accept_options.ts";
export type { Dial, DialContext } from "./connect_options.ts";
export type { Transport } from "./transport.ts";

/** Options for {@linkcode webSocketTransport} and {@linkcode dialWebSocket}. */
export interface DialWebSocketOptions extends WebSocketTransportOptions {
  /**
   * How long the WebSocket may take to open, in milliseconds.
   *
   * @default {10_000}
   */
  readonly openTimeoutMs?: number | undefined;
}

/** Options for {@linkcode webSocketTransport}. */
export interface WebSocketOptions extends DialWebSocketOptions {
  /** Stops waiting, and closes the socket. Does nothing once it is open. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A dial function for `connectResumable` that opens WebSockets with the
 * subprotocol `holdfast-resume.1`.
 *
 * ```ts
 * import { dialWebSocket } from "@holdfast/resume/websocket";
 * import { assertThrows } from "@std/assert";
 *
 * const dial = dialWebSocket("wss://example.org/stream", { openTimeoutMs: 3_000 });
 * assertThrows(() => dialWebSocket("ftp://example.org/"), TypeError);
 * ```
 *
 * @param url `ws:` or `wss:`, or `http:` or `https:` for the same; in a page it
 * may be relative. A function is asked each time: for a fresh token, or to
 * follow `movedTo`, which is not done otherwise, since the peer chooses it.
 * @throws {TypeError} For a URL that is none of those.
 * @throws {RangeError} For an option out of range.
 */
export function dialWebSocket(
  url: string | URL | ((context: DialContext) => string | URL),
  options: DialWebSocketOptions = {},
): Dial {
  const fixed = typeof url === "function" ? undefined : webSocketUrl(url);
  const openTimeoutMs = timeout(options);
  return async (context) => {
    const { signal } = context;
    signal.throwIfAborted();
    const address = typeof url === "function"
      ? webSocketUrl(url(context))
      : fixed!;
    const socket = new WebSocket(address, SUBPROTOCOL);
    const transport = await webSocketTransport(socket, {
      ...options,
      openTimeoutMs,
      signal,
    });
    if (socket.protocol === SUBPROTOCOL) return transport;
    transport.close();
    throw new ResumeError(
      "resume/handshake",
      `Cannot use the WebSocket of ${plain(socket)}: it does not speak ` +
        `${SUBPROTOCOL}: serve webSocketTransports().handle there`,
    );
  };
}

/**
 * A transport over a WebSocket that the program made itself, for instance with
 * headers or a certificate of its own. Waits until the socket is open; hand it
 * over at once after making it, since messages from before are lost. The
 * transport closes the socket, and nobody else may send on it.
 *
 * ```ts
 * import type { Dial } from "@holdfast/resume";
 * import { webSocketTransport } from "@holdfast/resume/websocket";
 * import { assertEquals } from "@std/assert";
 *
 * const dial: Dial = ({ signal }) => {
 *   const headers = { authorization: "Bearer token" };
 *   const protocols = ["holdfast-resume.1"];
 *   const socket = new WebSocket("wss://example.org/", { headers, protocols });
 *   return webSocketTransport(socket, { signal });
 * };
 * assertEquals(dial.length, 1);
 * ```
 *
 * Rejects with the signal's reason, with a `TimeoutError`, or with what made
 * the socket close.
 *
 * @throws {RangeError} For an option out of range.
 */
export async function webSocketTransport(
  socket: WebSocket,
  options: WebSocketOptions = {},
): Promise<Transport> {
  const openTimeoutMs = timeout(options);
  // At once: the first message may come together with "open".
  const transport = new WebSocketTransport(socket, options);
  try {
    await opened(socket, openTimeoutMs, options.signal);
    return transport;
  } catch (error) {
    transport.close();
    throw error;
  }
}

/**
 * The server half: a source of transports for `acceptResumable`, and the
 * handler for `Deno.serve` that fills it. See the example of this module.
 *
 * @throws {RangeError} For an option out of range.
 */
export function webSocketTransports(
  options: WebSocketTransportsOptions = {},
): WebSocketTransports {
  return new WebSocketSource(options);
}

function timeout(options: DialWebSocketOptions): number {
  const { openTimeoutMs = 10_000 } = options;
  return inRange("openTimeoutMs", openTimeoutMs, 1, 2 ** 31 - 1);
}
