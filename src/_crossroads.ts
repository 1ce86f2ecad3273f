/**
 * Where connections come together and part: those of the listener, and those
 * that this peer made itself for a stream that others opened, go to the resume
 * server; those by which a peer that was asked calls back go to the route that
 * waits for them.
 */
import type { Transport, TransportSource } from "@holdfast/resume";
import { CALL_BYTES, isGenuine, mayBeCall, readCall } from "./_calling_wire.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Who waits for calls. */
export interface CallWaiter {
  /** The key that callers prove. */
  readonly key: string;
  /** Takes over a connection by which it was called. */
  offer(transport: Transport): void;
}

const LOOK_MS = 5_000;
const LOOKING_MAX = 64;

/** The source of a resume server, and of the one after it. */
export class Crossroads implements TransportSource {
  readonly #listener: TransportSource | undefined;
  readonly #waiters = new Map<string, CallWaiter>();
  readonly #numbers = new Map<string, number>();
  readonly #ready: Transport[] = [];
  readonly #looking = new Set<Transport>();
  #takers: {
    resolve(transport: Transport): void;
    reject(error: unknown): void;
  }[] = [];
  #accepting = false;
  #closed = false;

  constructor(listener: TransportSource | undefined) {
    this.#listener = listener;
  }

  get addr(): Deno.Addr | undefined {
    return this.#listener?.addr;
  }

  /** Lets a peer call back until the result is disposed. */
  expect(id: string, waiter: CallWaiter): Disposable {
    this.#waiters.set(id, waiter);
    return {
      [Symbol.dispose]: () => {
        this.#waiters.delete(id);
        this.#numbers.delete(id);
      },
    };
  }

  /** Gives a connection to the resume server, as if it had been accepted. */
  serve(transport: Transport): void {
    const taker = this.#takers.shift();
    if (taker !== undefined) taker.resolve(transport);
    else if (this.#closed) closeQuietly(transport);
    else this.#ready.push(transport);
  }

  accept(): Promise<Transport> {
    const ready = this.#ready.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#closed) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      this.#takers.push({ resolve, reject });
      void this.#run();
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#listener !== undefined) closeQuietly(this.#listener);
    this.leave();
  }

  /**
   * Ends the present taker, and closes what it has not taken. The listener
   * stays open, and what comes now is for the next one.
   */
  leave(): void {
    for (const taker of this.#takers.splice(0)) taker.reject(closedError());
    for (const transport of this.#ready.splice(0)) closeQuietly(transport);
    for (const transport of this.#looking) closeQuietly(transport);
  }

  // One accept at a time, for as long as somebody waits.
  async #run(): Promise<void> {
    if (this.#accepting || this.#listener === undefined) return;
    this.#accepting = true;
    while (this.#takers.length > 0 && !this.#closed) {
      try {
        const transport = await this.#listener.accept();
        if (this.#waiters.size === 0) this.serve(transport);
        else void this.#look(transport);
      } catch (error) {
        // The resume server pauses and comes back, or ends.
        for (const taker of this.#takers.splice(0)) taker.reject(error);
      }
    }
    this.#accepting = false;
  }

  // What its first bytes say: a call, or anything else, which is not ours.
  async #look(transport: Transport): Promise<void> {
    if (this.#looking.size >= LOOKING_MAX) return closeQuietly(transport);
    this.#looking.add(transport);
    const timer = setTimeout(() => closeQuietly(transport), LOOK_MS);
    try {
      let head: Bytes = new Uint8Array(0);
      while (head.length < CALL_BYTES) {
        // No byte more than a call has: what follows belongs to the stream.
        const into = new Uint8Array(CALL_BYTES - head.length);
        const n = await transport.read(into);
        if (n === null) return closeQuietly(transport);
        head = concat(head, into.subarray(0, n));
        if (!mayBeCall(head)) {
          return this.serve(new Unread(transport, head));
        }
      }
      await this.#called(transport, head);
    } catch {
      closeQuietly(transport);
    } finally {
      clearTimeout(timer);
      this.#looking.delete(transport);
    }
  }

  async #called(transport: Transport, head: Bytes): Promise<void> {
    const { id, number } = readCall(head);
    const waiter = this.#waiters.get(id);
    const known = this.#numbers.get(id) ?? 0;
    if (
      waiter === undefined || number <= known ||
      !await isGenuine(head, waiter.key) || !this.#waiters.has(id)
    ) return closeQuietly(transport);
    this.#numbers.set(id, number);
    waiter.offer(transport);
  }
}

/** A transport of which something was read already. */
class Unread implements Transport {
  readonly #transport: Transport;
  #rest: Bytes;

  constructor(transport: Transport, rest: Bytes) {
    this.#transport = transport;
    this.#rest = rest;
  }

  get localAddr(): Deno.Addr | undefined {
    return this.#transport.localAddr;
  }

  get remoteAddr(): Deno.Addr | undefined {
    return this.#transport.remoteAddr;
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#rest.length === 0) return this.#transport.read(into);
    const part = this.#rest.subarray(0, into.length);
    into.set(part);
    this.#rest = this.#rest.subarray(part.length);
    return Promise.resolve(part.length);
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#transport.write(bytes);
  }

  setNoDelay(on: boolean): void {
    (this.#transport as Partial<Deno.TcpConn>).setNoDelay?.(on);
  }

  close(): void {
    this.#transport.close();
  }
}

function concat(a: Bytes, b: Bytes): Bytes {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

function closedError(): Error {
  return new Deno.errors.BadResource("Listener has been closed");
}

/** Closes what may be closed already. */
export function closeQuietly(one: { close(): void }): void {
  try {
    one.close();
  } catch {
    // It was.
  }
}
