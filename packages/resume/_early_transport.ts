import type { HandshakeIo } from "./_handshake_io.ts";
import type { Bytes } from "./_records.ts";
import type { Transport } from "./transport.ts";

/** A transport that may be written to before its handshake is read to the end. */
export class EarlyTransport implements Transport {
  readonly #io: HandshakeIo;
  readonly #confirmed: () => Promise<void>;
  #first = true;
  #rest: Bytes = new Uint8Array(0);

  constructor(io: HandshakeIo, confirmed: () => Promise<void>) {
    this.#io = io;
    this.#confirmed = confirmed;
  }

  get localAddr(): Deno.Addr | undefined {
    return this.#io.transport.localAddr;
  }

  get remoteAddr(): Deno.Addr | undefined {
    return this.#io.transport.remoteAddr;
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (this.#first) {
      this.#first = false;
      await this.#confirmed();
      this.#rest = this.#io.rest;
    }
    if (this.#rest.length === 0) return await this.#io.transport.read(into);
    const part = this.#rest.subarray(0, into.length);
    into.set(part);
    this.#rest = this.#rest.subarray(part.length);
    return part.length;
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#io.transport.write(bytes);
  }

  /** See `Deno.Conn.closeWrite`; only TLS gets here, which has it. */
  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite?.();
  }

  /** See `Deno.Conn.ref`. */
  ref(): void {
    this.#conn.ref?.();
  }

  /** See `Deno.Conn.unref`. */
  unref(): void {
    this.#conn.unref?.();
  }

  get #conn(): Partial<Deno.Conn> {
    return this.#io.transport as Partial<Deno.Conn>;
  }

  close(): void {
    this.#io.transport.close();
  }
}
