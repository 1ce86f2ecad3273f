import { readableOf } from "./_byte_stream.ts";
import { badResource } from "./_os_errors.ts";

/**
 * A connection with bytes that were read elsewhere and come first. The socket
 * itself is not read before they are used up: a `node:net` socket of Deno 2.9
 * that meets the peer's end as the first thing it reads fails later writes.
 */
export class MovedConn implements Deno.TcpConn {
  readonly #conn: Deno.TcpConn;
  #unread: Uint8Array;
  #closed = false;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;

  constructor(conn: Deno.TcpConn, unread: Uint8Array) {
    this.#conn = conn;
    this.#unread = unread;
  }

  get localAddr(): Deno.NetAddr {
    return this.#conn.localAddr;
  }

  get remoteAddr(): Deno.NetAddr {
    return this.#conn.remoteAddr;
  }

  read(p: Uint8Array): Promise<number | null> {
    const unread = this.#unread;
    if (unread.byteLength === 0) return this.#conn.read(p);
    if (this.#closed) return Promise.reject(badResource());
    const count = Math.min(unread.byteLength, p.byteLength);
    p.set(unread.subarray(0, count));
    this.#unread = unread.subarray(count);
    return Promise.resolve(count);
  }

  write(p: Uint8Array): Promise<number> {
    return this.#conn.write(p);
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    this.#conn.close();
    this.#closed = true;
  }

  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= readableOf(this);
  }

  get writable(): WritableStream<Uint8Array<ArrayBufferLike>> {
    return this.#conn.writable;
  }

  setNoDelay(noDelay?: boolean): void {
    this.#conn.setNoDelay(noDelay);
  }

  setKeepAlive(keepAlive?: boolean): void {
    this.#conn.setKeepAlive(keepAlive);
  }

  ref(): void {
    this.#conn.ref();
  }

  unref(): void {
    this.#conn.unref();
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn[Symbol.dispose]();
  }

  /** For `detach`: the connection itself, and what is left of the bytes. */
  static take(moved: MovedConn): { conn: Deno.TcpConn; unread: Uint8Array } {
    moved.#closed = true;
    return { conn: moved.#conn, unread: moved.#unread };
  }
}
