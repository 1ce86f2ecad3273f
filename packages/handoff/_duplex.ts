import type { Socket } from "node:net";
import { setImmediate } from "node:timers";
import {
  badResource,
  brokenPipe,
  interrupted,
  toDenoError,
} from "./_os_errors.ts";

interface PendingRead {
  readonly into: Uint8Array;
  resolve(count: number | null): void;
  reject(error: Error): void;
}

/**
 * A `node:net` socket with the reading and writing of a `Deno.Conn`, for TCP
 * and for the control channel alike.
 *
 * Nothing is read before the first `read`. From then on the socket holds at
 * most its own high-water mark (64 KiB) and this class the rest of one chunk.
 */
export class SocketDuplex {
  readonly #socket: Socket;
  readonly #reads: PendingRead[] = [];
  readonly #writes: Set<(error: Error) => void> = new Set();
  #rest: Uint8Array | null = null;
  #listening = false;
  #ended = false;
  #finished = false;
  #closed = false;
  // The socket died by itself. As with a kernel socket, the next operation
  // hears of it; later ones see the end of the stream and a broken pipe.
  #dead = false;
  #fault: Error | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    // The end of one direction must not close the other.
    socket.allowHalfOpen = true;
    socket.on("error", this.#onError);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onClose);
  }

  /** Whether `close` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** See `Deno.Conn.read`. */
  read(into: Uint8Array): Promise<number | null> {
    if (this.#closed) return Promise.reject(badResource());
    if (into.byteLength === 0) return Promise.resolve(0);
    if (!this.#listening) {
      this.#listening = true;
      this.#socket.on("readable", this.#pump);
    }
    return new Promise((resolve, reject) => {
      this.#reads.push({ into, resolve, reject });
      if (this.#reads.length === 1) this.#pump();
    });
  }

  /** See `Deno.Conn.write`; always writes everything. */
  write(bytes: Uint8Array): Promise<number> {
    if (this.#closed) return Promise.reject(badResource());
    if (this.#dead) return Promise.reject(this.#takeFault() ?? brokenPipe());
    if (bytes.byteLength === 0) return Promise.resolve(0);
    if (this.#finished) return Promise.reject(brokenPipe());
    return new Promise((resolve, reject) => {
      this.#writes.add(reject);
      // The callback comes when the kernel has all of it, so a writer that
      // awaits has one buffer pending and no more.
      this.#socket.write(bytes, (error) => {
        // On failure the cause follows in "error" and "close".
        if (error || !this.#writes.delete(reject)) return;
        resolve(bytes.byteLength);
      });
    });
  }

  /** See `Deno.Conn.closeWrite`. */
  closeWrite(): Promise<void> {
    if (this.#closed) return Promise.reject(badResource());
    if (this.#finished || this.#dead) return Promise.resolve();
    this.#finished = true;
    return new Promise((resolve) => {
      // Never rejects: a connection that broke is seen by the next operation.
      const done = (): void => {
        this.#socket.off("close", done);
        resolve();
      };
      this.#socket.once("close", done);
      this.#socket.end(done);
    });
  }

  /** See `Deno.Conn.close`. */
  close(): void {
    if (this.#closed) throw badResource();
    this.#closed = true;
    this.#rest = null;
    this.#rejectAll(interrupted);
    this.#socket.destroy();
  }

  /**
   * For `detach`: stops using the socket without closing it, and gives what was
   * read from it and not taken. A pending read rejects; it has taken nothing.
   */
  leave(): Uint8Array | null {
    if (this.#closed) throw badResource();
    this.#closed = true;
    this.#socket.off("readable", this.#pump);
    const rest = this.#rest;
    this.#rest = null;
    for (const { reject } of this.#reads.splice(0)) reject(interrupted());
    return rest;
  }

  /** Resolves when nothing that was written waits here; false if it broke. */
  async written(): Promise<boolean> {
    while (!this.#dead && !this.#closed && this.#writes.size > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    return !this.#dead && !this.#closed;
  }

  /** Keeps the event loop alive while an operation is pending. */
  ref(): void {
    this.#socket.ref();
  }

  /** Lets the event loop end in spite of a pending operation. */
  unref(): void {
    this.#socket.unref();
  }

  readonly #pump = (): void => {
    while (this.#reads.length > 0) {
      const { into, resolve, reject } = this.#reads[0]!;
      const count = this.#take(into);
      if (count === undefined) return;
      this.#reads.shift();
      if (count instanceof Error) reject(count);
      else resolve(count);
    }
  };

  /** Bytes, the end, an error, or `undefined` when there is nothing yet. */
  #take(into: Uint8Array): number | null | Error | undefined {
    const chunk: Uint8Array | null = this.#rest ?? this.#socket.read();
    if (chunk !== null) {
      const count = Math.min(chunk.byteLength, into.byteLength);
      const all = count === chunk.byteLength;
      into.set(all ? chunk : chunk.subarray(0, count));
      this.#rest = all ? null : chunk.subarray(count);
      return count;
    }
    if (this.#fault !== undefined) return this.#takeFault();
    return this.#ended || this.#dead ? null : undefined;
  }

  #takeFault(): Error | undefined {
    const fault = this.#fault;
    this.#fault = undefined;
    return fault;
  }

  #rejectAll(reason: () => Error): void {
    for (const reject of this.#writes) reject(reason());
    this.#writes.clear();
    for (const { reject } of this.#reads.splice(0)) reject(reason());
  }

  readonly #onError = (error: Error): void => {
    if (this.#closed) return;
    this.#dead = true;
    this.#fault = toDenoError(error);
    if (this.#writes.size === 0) return;
    const fault = this.#takeFault()!;
    for (const reject of this.#writes) reject(fault);
    this.#writes.clear();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#pump();
  };

  readonly #onClose = (): void => {
    if (this.#closed) return;
    this.#dead = true;
    for (const reject of this.#writes) reject(brokenPipe());
    this.#writes.clear();
    this.#pump();
  };
}
