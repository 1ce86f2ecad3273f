import type { Events } from "@holdfast/events";
import { Emitter, EventReader } from "@holdfast/events/emitter";
import { isClosedByUs, nextPauseMs } from "./_accept_rules.ts";
import { pauseUntil } from "./_pause.ts";
import { classify } from "./classify.ts";
import type { Closable } from "./dial_options.ts";
import type { FailureId } from "./failure.ts";

/** What can be supervised: a `Deno.Listener`, or anything like it. */
export interface Acceptor<C> extends Closable {
  /** Resolves with the next connection. */
  accept(): Promise<C>;
}

/** What happened to a supervised listener; plain JSON. */
export type AcceptEvent =
  | {
    /** Accepting failed; it goes on after a pause. */
    readonly type: "accept-paused";
    /** What is missing, in words. */
    readonly reason: string;
    /** The entry of the catalogue; `undefined` for none. */
    readonly failure: FailureId | undefined;
    /** How long it pauses, in milliseconds. */
    readonly retryInMs: number;
  }
  | {
    /** Accepting works again. */
    readonly type: "accept-resumed";
    /** How many tries failed. */
    readonly reason: "accepted";
    /** How many tries failed. */
    readonly failures: number;
    /** From the first failure on, in milliseconds. */
    readonly pausedMs: number;
  }
  | {
    /** A connection was closed at once, since there was no room for it. */
    readonly type: "connection-shed";
    /** Why: what `hasRoom` said. */
    readonly reason: "no-room";
    /** How many were, so far. */
    readonly total: number;
  };

/** Options for {@linkcode superviseAccept}. */
export interface SuperviseAcceptOptions {
  /**
   * Whether there is room for one more connection. When it says no, the
   * connection is accepted and closed at once, so that its client hears of it
   * now and not after a minute in the queue of the kernel.
   *
   * @default {always}
   */
  readonly hasRoom?: (() => boolean) | undefined;
  /** Closes the listener when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** A listener that no passing failure ends. */
export interface SupervisedListener<C>
  extends Events<AcceptEvent>, AsyncIterable<C>, Disposable {
  /**
   * The next connection.
   *
   * @throws {DOMException} An `AbortError` once it is closed.
   */
  accept(): Promise<C>;
  /** Closes the listener, and ends the events. */
  close(): void;
}

/**
 * Accepts for as long as the listener lives. Running out of descriptors,
 * buffers or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM), and a client that left
 * the queue (ECONNABORTED), end the plain loop `for await (const conn of
 * listener)`; here they are a pause, of 5 ms at first and 40 ms at the most,
 * and an event.
 *
 * ```ts
 * import { superviseAccept } from "@holdfast/recovery";
 * import { assertEquals } from "@std/assert";
 *
 * const plain = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * using listener = superviseAccept(plain);
 * listener.on("accept-paused", ({ reason }) => console.warn(reason));
 *
 * using client = await Deno.connect({ hostname: "127.0.0.1", port: plain.addr.port });
 * for await (const conn of listener) {
 *   assertEquals(conn.remoteAddr.port, client.localAddr.port);
 *   conn.close();
 *   break;
 * }
 * ```
 */
export function superviseAccept<C extends Closable>(
  listener: Acceptor<C>,
  options: SuperviseAcceptOptions = {},
): SupervisedListener<C> {
  return new Supervised(listener, options);
}

class Supervised<C extends Closable> extends EventReader<AcceptEvent>
  implements SupervisedListener<C> {
  readonly #listener: Acceptor<C>;
  readonly #hasRoom: () => boolean;
  readonly #emitter: Emitter<AcceptEvent>;
  readonly #closing: AbortController = new AbortController();
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.close();
  #shed = 0;

  constructor(listener: Acceptor<C>, options: SuperviseAcceptOptions) {
    const emitter = new Emitter<AcceptEvent>();
    super(emitter);
    this.#emitter = emitter;
    this.#listener = listener;
    this.#hasRoom = options.hasRoom ?? (() => true);
    this.#signal = options.signal;
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    if (this.#signal?.aborted) this.close();
  }

  async accept(): Promise<C> {
    let failures = 0;
    let failedAt = 0;
    for (;;) {
      this.#closing.signal.throwIfAborted();
      let conn: C;
      try {
        conn = await this.#listener.accept();
      } catch (error) {
        this.#closing.signal.throwIfAborted();
        // Somebody closed the listener itself: there is nothing to go on with.
        if (isClosedByUs(error)) {
          this.close();
          this.#closing.signal.throwIfAborted();
        }
        if (failures++ === 0) failedAt = performance.now();
        await this.#pause(error, failures);
        continue;
      }
      if (failures > 0) {
        this.#emitter.emit({
          ...{ type: "accept-resumed", reason: "accepted", failures },
          pausedMs: performance.now() - failedAt,
        });
        failures = 0;
      }
      let kept = false;
      try {
        kept = this.#hasRoom();
        if (kept) return conn;
      } finally {
        if (!kept) closeNow(conn);
      }
      const total = ++this.#shed;
      this.#emitter.emit({ type: "connection-shed", reason: "no-room", total });
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<C, void, undefined> {
    for (;;) {
      let conn: C;
      try {
        conn = await this.accept();
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        throw error;
      }
      yield conn;
    }
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(
      new DOMException("The listener is closed", "AbortError"),
    );
    this.#signal?.removeEventListener("abort", this.#onAbort);
    try {
      this.#listener.close();
    } catch {
      // It was closed by somebody else.
    }
    this.#emitter[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #pause(error: unknown, failures: number): Promise<void> {
    const { failure, why } = classify(error);
    const retryInMs = nextPauseMs(failures);
    this.#emitter.emit({
      type: "accept-paused",
      reason: why,
      failure,
      retryInMs,
    });
    await pauseUntil(retryInMs, this.#closing.signal);
  }
}

function closeNow(conn: Closable): void {
  try {
    conn.close();
  } catch {
    // Its client was first.
  }
}
