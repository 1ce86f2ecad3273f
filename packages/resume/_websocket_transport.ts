/** A byte stream over the binary messages of a WebSocket. */
import {
  badResource,
  brokenPipe,
  connectionReset,
  interrupted,
} from "./_deno.ts";
import { inRange } from "./_options.ts";
import { Waiting } from "./_waiting.ts";
import { MessageBuffer } from "./_websocket_buffer.ts";
import { ResumeError } from "./errors.ts";
import type { Transport } from "./transport.ts";

/** The longest message, in bytes, that an end sends or takes. */
export const MESSAGE_BYTES_MAX: number = 256 * 1024;

// The close code of an end whose peer sent what a byte stream never sends. The
// codes that RFC 6455 has for it (1003, 1009) are not for programs to send.
const CLOSE_UNUSABLE = 4002;
// A WebSocket does not tell when it has sent more, so it is asked: soon at
// first, then less and less often.
const POLL_MS_MIN = 1;
const POLL_MS_MAX = 50;

/** Options of a transport over a WebSocket. */
export interface WebSocketTransportOptions {
  /**
   * How many bytes may wait in the WebSocket to be sent before `write` waits.
   * One message of 256 KiB may come on top.
   *
   * @default {1_048_576}
   */
  readonly sendBufferBytes?: number | undefined;
  /**
   * How many bytes may have arrived without having been read. A WebSocket
   * cannot be told to wait: when there is more, the transport fails and the
   * stream goes on over another one. The stream reads at once whatever the
   * program does, and takes its credit back instead, so that this is only
   * reached by a peer that breaks the protocol, or with a `receiveWindowBytes`
   * above it.
   *
   * @default {4_194_304}
   */
  readonly receiveBufferBytes?: number | undefined;
}

/** How a transport came to its end, or that it has not. */
type End =
  | { readonly how: "open" }
  /** Closed by this side. */
  | { readonly how: "closed" }
  /** Closed by the peer. */
  | { readonly how: "hung-up" }
  | { readonly how: "failed"; readonly error: Error };

/** See the module's comment. */
export class WebSocketTransport implements Transport {
  readonly remoteAddr: Deno.Addr | undefined;
  readonly #socket: WebSocket;
  readonly #sendMax: number;
  readonly #received: MessageBuffer;
  readonly #reads = new Waiting<number | null>();
  readonly #writes = new Waiting<number>();
  #end: End = { how: "open" };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pollMs = POLL_MS_MIN;
  #buffered = 0;

  /** Takes over a socket that is open or about to open. */
  constructor(
    socket: WebSocket,
    options: WebSocketTransportOptions,
    remoteAddr?: Deno.Addr,
  ) {
    const {
      sendBufferBytes = 1_048_576,
      receiveBufferBytes = 4_194_304,
    } = options;
    this.#sendMax = inRange("sendBufferBytes", sendBufferBytes, 1, 2 ** 30);
    this.#received = new MessageBuffer(
      inRange(
        "receiveBufferBytes",
        receiveBufferBytes,
        2 * MESSAGE_BYTES_MAX,
        2 ** 31,
      ),
    );
    this.remoteAddr = remoteAddr;
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", this.#onMessage);
    socket.addEventListener("error", this.#onError);
    socket.addEventListener("close", this.#onClose);
  }

  /** As `Deno.Conn.read`. */
  read(into: Uint8Array): Promise<number | null> {
    const end = this.#end;
    if (end.how === "closed") return Promise.reject(badResource());
    if (into.length === 0) return Promise.resolve(0);
    const attempt = () => this.#tryRead(into);
    const now = this.#reads.busy ? undefined : attempt();
    if (now !== undefined) return Promise.resolve(now);
    if (end.how === "failed") return Promise.reject(end.error);
    return this.#reads.add(attempt);
  }

  #tryRead(into: Uint8Array): number | null | undefined {
    const n = this.#received.read(into);
    if (n > 0) return n;
    return this.#end.how === "hung-up" ? null : undefined;
  }

  /**
   * Sends up to {@linkcode MESSAGE_BYTES_MAX} bytes as one message, and
   * resolves once no more than the bound wait in the WebSocket.
   */
  write(bytes: Uint8Array): Promise<number> {
    const end = this.#end;
    if (end.how === "closed") return Promise.reject(badResource());
    if (end.how === "hung-up") return Promise.reject(brokenPipe());
    if (end.how === "failed") return Promise.reject(end.error);
    if (bytes.length === 0) return Promise.resolve(0);
    const message = bytes.subarray(0, MESSAGE_BYTES_MAX);
    let sent = false;
    const attempt = (): number | undefined => {
      // What is sent now would be dropped without a word: "close" will follow.
      if (this.#socket.readyState !== WebSocket.OPEN) return undefined;
      if (!sent) {
        if (this.#socket.bufferedAmount > this.#sendMax) return undefined;
        this.#socket.send(message as Uint8Array<ArrayBuffer>);
        sent = true;
      }
      return this.#socket.bufferedAmount > this.#sendMax
        ? undefined
        : message.length;
    };
    const now = this.#writes.busy ? undefined : attempt();
    if (now !== undefined) return Promise.resolve(now);
    const written = this.#writes.add(attempt);
    this.#poll();
    return written;
  }

  #poll(): void {
    if (this.#timer !== undefined || !this.#writes.busy) return;
    const buffered = this.#socket.bufferedAmount;
    this.#pollMs = buffered < this.#buffered
      ? POLL_MS_MIN
      : Math.min(this.#pollMs * 2, POLL_MS_MAX);
    this.#buffered = buffered;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#writes.retry();
      this.#poll();
    }, this.#pollMs);
  }

  /** Closes both directions; a second call does nothing. */
  close(): void {
    if (this.#end.how === "closed") return;
    this.#finish({ how: "closed" });
    this.#received.clear();
    this.#socket.close();
  }

  readonly #onMessage = ({ data }: MessageEvent): void => {
    if (!(data instanceof ArrayBuffer)) {
      return this.#refuse("the peer sent text, and no bytes");
    }
    if (data.byteLength > MESSAGE_BYTES_MAX) {
      return this.#refuse(
        `the peer sent a message of ${data.byteLength} bytes: at most ${MESSAGE_BYTES_MAX}`,
      );
    }
    if (!this.#received.add(new Uint8Array(data))) {
      return this.#refuse(
        "more arrived than was read: raise receiveBufferBytes above the receiveWindowBytes of this end",
      );
    }
    this.#reads.retry();
    // In a page in the background timers run once a second; messages come as
    // ever, and the acknowledgements of what was sent are among them.
    this.#writes.retry();
  };

  #refuse(why: string): void {
    const message = `Cannot read from the WebSocket: ${why}`;
    this.#received.clear();
    this.#finish({
      how: "failed",
      error: new ResumeError("resume/protocol", message),
    });
    this.#socket.close(CLOSE_UNUSABLE, "not a resume stream");
  }

  readonly #onError = (event: Event): void => {
    const message = (event as Partial<ErrorEvent>).message;
    this.#finish({
      how: "failed",
      error: connectionReset(
        message ? `The WebSocket broke: ${message}` : "The WebSocket broke",
      ),
    });
  };

  readonly #onClose = ({ wasClean, code, reason }: CloseEvent): void => {
    // 1000 normal, 1001 going away, 1005 without a code: see RFC 6455, 7.4.1.
    if (wasClean && (code === 1000 || code === 1001 || code === 1005)) {
      return this.#finish({ how: "hung-up" });
    }
    const why = reason === "" ? "" : ` (${reason})`;
    this.#finish({
      how: "failed",
      error: connectionReset(`The WebSocket closed with code ${code}${why}`),
    });
  };

  // The first end counts: what a dying socket says afterwards is no news.
  #finish(end: Exclude<End, { how: "open" }>): void {
    const first = this.#end.how === "open";
    if (!first && end.how !== "closed") return;
    this.#end = end;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#socket.removeEventListener("message", this.#onMessage);
    this.#socket.removeEventListener("error", this.#onError);
    this.#socket.removeEventListener("close", this.#onClose);
    if (end.how === "closed") {
      this.#reads.reject(interrupted);
      this.#writes.reject(interrupted);
      return;
    }
    // What arrived before is still to be read.
    this.#reads.retry();
    const error = end.how === "failed" ? end.error : brokenPipe();
    this.#reads.reject(() => error);
    this.#writes.reject(() => error);
  }
}
