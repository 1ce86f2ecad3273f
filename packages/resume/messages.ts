/**
 * Messages over a resumable stream: each arrives whole, once, and in order.
 *
 * @module
 */
import { inRange } from "./_options.ts";
import { concat } from "./_keys.ts";
import { getU32, putU32 } from "./_wire.ts";
import { ResumeError } from "./errors.ts";
import type {
  MessageCallOptions,
  MessageConn,
  MessageOptions,
  MessageRemainder,
} from "./message_conn.ts";
import type { ResumableConn } from "./resumable_conn.ts";

export type {
  MessageCallOptions,
  MessageConn,
  MessageOptions,
  MessageRemainder,
} from "./message_conn.ts";

/**
 * Cuts a resumable stream into messages; both ends have to. A cut of the
 * transport falls wherever it likes: messages keep their boundaries.
 *
 * ```ts
 * import { acceptResumable, connectResumable } from "@holdfast/resume";
 * import { messages } from "@holdfast/resume/messages";
 * import { assertEquals } from "@std/assert";
 *
 * const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * await using server = acceptResumable(listener);
 * const { port } = listener.addr;
 * const dial = () => Deno.connect({ hostname: "127.0.0.1", port });
 *
 * const client = messages(await connectResumable(dial));
 * await Promise.all(["one", "", "three"].map((text) =>
 *   client.send(new TextEncoder().encode(text))
 * ));
 * client.conn.close();
 *
 * const served = messages(await server.accept());
 * const texts: string[] = [];
 * for await (const message of served) texts.push(new TextDecoder().decode(message));
 * assertEquals(texts, ["one", "", "three"]);
 * served.conn.close();
 * await client.conn.closed;
 * ```
 *
 * @throws {RangeError} For an option out of range.
 */
export function messages(
  conn: ResumableConn,
  options: MessageOptions = {},
): MessageConn {
  return new Messages(conn, options);
}

const LENGTH_BYTES = 4;
const BYTES_MAX = 1024 ** 3;
// What is read at a time: little while nothing comes, more under load.
const READ_BYTES_MIN = 1024;
const READ_BYTES_MAX = 64 * 1024;

interface Outgoing {
  readonly frame: Uint8Array<ArrayBuffer>;
  /** Whether its beginning was written in another process. */
  readonly begun: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Receiver {
  readonly resolve: (message: Uint8Array<ArrayBuffer> | null) => void;
  readonly reject: (error: unknown) => void;
}

class Messages implements MessageConn {
  readonly conn: ResumableConn;
  readonly #max: number;

  readonly #outgoing: Outgoing[] = [];
  #sending = false;
  /** The frame on its way, from its first byte not written on. */
  #unsent: Uint8Array<ArrayBuffer>;
  /** Why it stays unsent. */
  #torn: { readonly error: unknown } | undefined;

  readonly #receivers: Receiver[] = [];
  #receiving = false;
  /** Read and not given out, between these two positions. */
  #held: Uint8Array<ArrayBuffer>;
  #from = 0;
  #to: number;
  #readBytes = READ_BYTES_MIN;
  /** A message that came when nobody waited for it any more. */
  #ready: Uint8Array<ArrayBuffer> | undefined;
  #broken: ResumeError | undefined;

  constructor(conn: ResumableConn, options: MessageOptions) {
    const { messageBytesMax = 1_048_576, remainder } = options;
    this.#max = inRange("messageBytesMax", messageBytesMax, 0, BYTES_MAX);
    this.conn = conn;
    this.#unsent = remainder?.unsent ?? new Uint8Array(0);
    this.#held = remainder?.received.slice() ?? new Uint8Array(0);
    this.#to = this.#held.length;
    if (this.#unsent.length === 0) return;
    // Nobody waits for it: if it fails, so does what is sent after it.
    const ignore = (): void => {};
    const frame = this.#unsent;
    this.#outgoing.push({
      frame,
      begun: true,
      resolve: ignore,
      reject: ignore,
    });
    void this.#send();
  }

  send(
    message: Uint8Array,
    { signal }: MessageCallOptions = {},
  ): Promise<void> {
    if (message.length > this.#max) {
      return Promise.reject(
        new RangeError(
          `Cannot send a message of ${message.length} bytes: at most ${this.#max}: raise messageBytesMax on both ends, or cut it up`,
        ),
      );
    }
    if (signal?.aborted) return Promise.reject(signal.reason);
    const frame = new Uint8Array(LENGTH_BYTES + message.length);
    putU32(frame, 0, message.length);
    frame.set(message, LENGTH_BYTES);
    return abortable(signal, (resolve, reject) => {
      const outgoing: Outgoing = { frame, begun: false, resolve, reject };
      this.#outgoing.push(outgoing);
      void this.#send();
      // The first one is on its way; its bytes have been offered already.
      return () => remove(this.#outgoing, outgoing);
    });
  }

  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    for (let next; (next = this.#outgoing.shift()) !== undefined;) {
      try {
        if (this.#torn !== undefined) throw this.#torn.error;
        await this.#write(next);
        next.resolve();
      } catch (error) {
        next.reject(error);
      }
    }
    this.#sending = false;
  }

  async #write({ frame, begun }: Outgoing): Promise<void> {
    this.#unsent = frame;
    try {
      while (this.#unsent.length > 0) {
        const n = await this.conn.write(this.#unsent);
        this.#unsent = this.#unsent.subarray(n);
      }
    } catch (error) {
      // After half a message another one would be taken for its rest.
      const torn = begun || this.#unsent.length < frame.length;
      if (torn) this.#torn = { error };
      else this.#unsent = new Uint8Array(0);
      throw error;
    }
  }

  receive(
    { signal }: MessageCallOptions = {},
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return abortable(signal, (resolve, reject) => {
      const receiver: Receiver = { resolve, reject };
      this.#receivers.push(receiver);
      void this.#receive();
      return () => remove(this.#receivers, receiver);
    });
  }

  async #receive(): Promise<void> {
    if (this.#receiving) return;
    this.#receiving = true;
    while (this.#receivers.length > 0) {
      try {
        const message = this.#ready ?? await this.#next();
        const receiver = this.#receivers.shift();
        this.#ready = receiver === undefined && message !== null
          ? message
          : undefined;
        receiver?.resolve(message);
      } catch (error) {
        this.#receivers.shift()?.reject(error);
      }
    }
    this.#receiving = false;
  }

  async #next(): Promise<Uint8Array<ArrayBuffer> | null> {
    if (this.#broken !== undefined) throw this.#broken;
    if (!await this.#fill(LENGTH_BYTES)) return null;
    const length = getU32(this.#held, this.#from);
    if (length > this.#max) {
      throw this.#break(
        `the peer announced a message of ${length} bytes: at most ${this.#max}`,
      );
    }
    await this.#fill(LENGTH_BYTES + length);
    const at = this.#from + LENGTH_BYTES;
    this.#from = at + length;
    return this.#held.slice(at, this.#from);
  }

  /** Gets that many bytes in hand; `false` at an end where there are none. */
  async #fill(bytes: number): Promise<boolean> {
    while (this.#to - this.#from < bytes) {
      this.#makeRoom(bytes);
      const n = await this.conn.read(this.#held.subarray(this.#to));
      if (n === null) {
        if (this.#to === this.#from) return false;
        throw this.#break(
          `the stream ended inside a message, ${
            this.#to - this.#from
          } bytes after it began`,
        );
      }
      this.#to += n;
      if (this.#to === this.#held.length) {
        this.#readBytes = Math.min(this.#readBytes * 4, READ_BYTES_MAX);
      } else if (n < this.#readBytes / 8) {
        this.#readBytes = Math.max(this.#readBytes / 2, READ_BYTES_MIN);
      }
    }
    return true;
  }

  // Grows with what has really arrived: a length that is only announced costs
  // nothing, however many connections announce one.
  #makeRoom(bytes: number): void {
    const inHand = this.#to - this.#from;
    if (inHand > 0 && this.#to < this.#held.length) return;
    const size = Math.max(this.#readBytes, Math.min(bytes, inHand * 2));
    const held = size === this.#held.length ? this.#held : new Uint8Array(size);
    held.set(this.#held.subarray(this.#from, this.#to));
    this.#held = held;
    this.#from = 0;
    this.#to = inHand;
  }

  #break(why: string): ResumeError {
    const message = `Cannot receive a message on session ${this.conn.sid}`;
    return this.#broken = new ResumeError(
      "resume/protocol",
      `${message}: ${why}`,
    );
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for (;;) {
      const message = await this.receive();
      if (message === null) return;
      yield message;
    }
  }

  remainder(): MessageRemainder {
    const held = this.#held.slice(this.#from, this.#to);
    const unsent = this.#unsent.slice();
    if (this.#ready === undefined) return { received: held, unsent };
    const length = new Uint8Array(LENGTH_BYTES);
    putU32(length, 0, this.#ready.length);
    return { received: concat(length, this.#ready, held), unsent };
  }
}

function remove<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}

/** A promise that rejects when `signal` aborts; then `undo` is called. */
function abortable<T>(
  signal: AbortSignal | undefined,
  start: (
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      undo();
      reject(signal!.reason);
    };
    const end = (): void => signal?.removeEventListener("abort", onAbort);
    signal?.addEventListener("abort", onAbort, { once: true });
    const undo = start(
      (value) => (end(), resolve(value)),
      (error) => (end(), reject(error)),
    );
  });
}
