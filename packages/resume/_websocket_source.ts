/** WebSockets that a server took, as the transports of a resume server. */
import { AcceptQueue } from "./_accept_queue.ts";
import { badResource, interrupted } from "./_deno.ts";
import { inRange } from "./_options.ts";
import {
  WebSocketTransport,
  type WebSocketTransportOptions,
} from "./_websocket_transport.ts";
import type { TransportSource } from "./accept_options.ts";
import type { Transport } from "./transport.ts";

/** The WebSocket subprotocol of resumable streams. */
export const SUBPROTOCOL: string = "holdfast-resume.1";

// How many open transports may wait for `accept`, as a listener has a backlog.
const BACKLOG = 256;

/** Options for {@linkcode webSocketTransports}. */
export interface WebSocketTransportsOptions extends WebSocketTransportOptions {
  /**
   * How many sockets may be open, those being closed included; further ones are
   * answered with 503. Deno cannot drop a WebSocket whose peer neither answers
   * its closing nor resets: such a socket is open until the system gives up.
   *
   * @default {10_000}
   */
  readonly socketsMax?: number | undefined;
}

/** Where a request comes from, as `Deno.serve` tells its handler. */
export interface WebSocketRequestInfo {
  /** The address of the client, or of the proxy before this server. */
  readonly remoteAddr?: Deno.Addr | undefined;
}

/** A source of transports for `acceptResumable`, and the handler that fills it. */
export interface WebSocketTransports extends TransportSource {
  /**
   * Takes the request of a WebSocket; may be called without its object, so that
   * it can be passed to `Deno.serve` as it is. Anything else is answered with
   * 426, a WebSocket that does not offer the subprotocol `holdfast-resume.1`
   * with 400, and one too many, or one after `close`, with 503. It takes
   * WebSockets of any page: where only your own pages may connect, check the
   * header `Origin` before.
   */
  handle(request: Request, info?: WebSocketRequestInfo): Response;
}

/** See the module's comment. */
export class WebSocketSource implements WebSocketTransports {
  readonly #options: WebSocketTransportsOptions;
  readonly #max: number;
  readonly #queue = new AcceptQueue<WebSocketTransport>();
  #open = 0;
  #closed = false;

  constructor(options: WebSocketTransportsOptions) {
    this.#options = options;
    this.#max = inRange("socketsMax", options.socketsMax ?? 10_000, 1, 1e7);
  }

  readonly handle = (
    request: Request,
    info?: WebSocketRequestInfo,
  ): Response => {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      return answer(426, "This address takes WebSockets only", {
        upgrade: "websocket",
        connection: "upgrade",
      });
    }
    if (!offers(request)) {
      return answer(400, `Offer the WebSocket subprotocol ${SUBPROTOCOL}`);
    }
    if (this.#closed || this.#full) {
      return answer(503, "No more WebSockets now", { "retry-after": "1" });
    }
    return this.#upgrade(request, info);
  };

  get #full(): boolean {
    return this.#open >= this.#max || this.#queue.length >= BACKLOG;
  }

  #upgrade(request: Request, info: WebSocketRequestInfo | undefined): Response {
    // Before the upgrade: Deno forgets it with the request.
    const remoteAddr = info?.remoteAddr;
    let upgraded;
    try {
      upgraded = Deno.upgradeWebSocket(request, { protocol: SUBPROTOCOL });
    } catch (error) {
      return answer(400, `No WebSocket: ${(error as Error).message}`);
    }
    const { socket, response } = upgraded;
    const transport = new WebSocketTransport(socket, this.#options, remoteAddr);
    // Counted from here on: a client may leave before, and then nothing tells.
    socket.addEventListener("open", () => {
      this.#open++;
      const onClose = (): void => {
        this.#open--;
        this.#queue.forget(transport);
      };
      // More than one "close" can come: after a ping without an answer.
      socket.addEventListener("close", onClose, { once: true });
      this.#offer(transport);
    });
    return response;
  }

  #offer(transport: WebSocketTransport): void {
    const full = !this.#queue.wanted && this.#queue.length >= BACKLOG;
    if (this.#closed || full) transport.close();
    else this.#queue.push(transport);
  }

  async accept(): Promise<Transport> {
    if (this.#closed) throw badResource();
    const transport = await this.#queue.next();
    if (transport === undefined) throw interrupted();
    return transport;
  }

  close(): void {
    this.#closed = true;
    this.#queue.end();
    for (const transport of this.#queue.takeAll()) transport.close();
  }
}

function offers(request: Request): boolean {
  const offered = request.headers.get("sec-websocket-protocol") ?? "";
  return offered.split(",").some((name) => name.trim() === SUBPROTOCOL);
}

function answer(
  status: number,
  text: string,
  headers: Record<string, string> = {},
): Response {
  return new Response(`${text}\n`, { status, headers });
}
