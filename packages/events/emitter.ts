/**
 * The writing side of the shared event interface: {@linkcode Emitter} for the
 * owner of a source, {@linkcode EventReader} for the handle that it shows, and
 * {@linkcode relay} to pass events on.
 *
 * ```ts
 * import { Emitter, EventReader } from "@holdfast/events/emitter";
 * import { assertEquals } from "@std/assert";
 *
 * type DoorEvent =
 *   | { readonly type: "opened"; readonly reason: "key" | "force" }
 *   | { readonly type: "closed" };
 *
 * class Door extends EventReader<DoorEvent> {
 *   readonly #emitter: Emitter<DoorEvent>;
 *   constructor() {
 *     const emitter = new Emitter<DoorEvent>();
 *     super(emitter);
 *     this.#emitter = emitter;
 *   }
 *   open() {
 *     this.#emitter.emit({ type: "opened", reason: "key" });
 *   }
 * }
 *
 * const door = new Door();
 * const reasons: string[] = [];
 * using _subscription = door.on("opened", (event) => reasons.push(event.reason));
 * door.open();
 * assertEquals(reasons, ["key"]);
 * ```
 *
 * @module
 */
import { BufferedStream } from "./_stream.ts";
import type {
  EventLike,
  EventOf,
  Events,
  EventStream,
  ListenOptions,
  StreamOptions,
} from "./events.ts";
export { EventReader } from "./reader.ts";
export { relay, type RelayOptions } from "./relay.ts";

/**
 * How many events listeners may emit in answer to one event, directly and
 * through each other, before `emit` throws. Two listeners that answer each
 * other would otherwise hang the program without a word.
 */
export const EMIT_CHAIN_LIMIT = 10_000;

const NOTHING: Disposable = { [Symbol.dispose]() {} };

/** Options for {@linkcode Emitter}. */
export interface EmitterOptions {
  /**
   * Receives what a listener throws, in a microtask after the delivery. The
   * default makes it an uncaught error, which ends a Deno program: pass a
   * function that logs to keep going.
   *
   * @default {reportError}
   */
  readonly onListenerError?: ((error: unknown) => void) | undefined;
}

interface Entry<E> {
  readonly type: string;
  readonly listener: (event: E) => void;
  ended: boolean;
}

/**
 * The writing side of {@linkcode Events}. Keep it private to its owner and
 * show an {@linkcode EventReader}: then nobody else can emit.
 */
export class Emitter<E extends EventLike> implements Events<E>, Disposable {
  // Both are replaced and never changed in place, so that a delivery under way
  // keeps the list that was there when its event was emitted, without a copy.
  #entries: readonly Entry<E>[] = [];
  #byType: Map<string, readonly Entry<E>[]> = new Map();
  // The list of the type emitted last: sources mostly repeat themselves, and a
  // comparison is several times cheaper than a look-up in a map.
  #lastType: string | undefined;
  #lastList: readonly Entry<E>[] = [];
  #queue: { readonly list: readonly Entry<E>[]; readonly event: E }[] = [];
  #delivering = false;
  #chained = 0;
  readonly #onListenerError: (error: unknown) => void;
  readonly #ended: AbortController = new AbortController();

  /** Makes an emitter that nobody listens to yet. */
  constructor(options: EmitterOptions = {}) {
    this.#onListenerError = options.onListenerError ?? reportError;
  }

  /**
   * Delivers the event to everyone who listens now, before it returns; inside
   * a listener, after the delivery under way.
   *
   * @throws {RangeError} When listeners answer events with events without end.
   */
  emit(event: E): void {
    const list = event.type === this.#lastType
      ? this.#lastList
      : this.#listFor(event.type);
    if (list.length === 0) return;
    if (this.#delivering) return this.#enqueue(list, event);
    this.#delivering = true;
    this.#deliver(list, event);
    if (this.#queue.length > 0) this.#drain();
    this.#delivering = false;
  }

  /** Whether anybody would hear the type, so that a costly event need not be built. */
  hasListeners(type: E["type"]): boolean {
    return this.#listFor(type).length > 0;
  }

  /** See {@linkcode Events.on}. */
  on<T extends E["type"] | "*">(
    type: T,
    listener: (event: EventOf<E, T>) => void,
    options?: ListenOptions,
  ): Disposable {
    const signal = options?.signal;
    if (signal?.aborted || this.#ended.signal.aborted) return NOTHING;
    const entry: Entry<E> = {
      type,
      listener: listener as (event: E) => void,
      ended: false,
    };
    this.#setEntries([...this.#entries, entry]);
    const end = (): void => {
      if (entry.ended) return;
      entry.ended = true;
      signal?.removeEventListener("abort", end);
      this.#ended.signal.removeEventListener("abort", end);
      this.#setEntries(this.#entries.filter((other) => other !== entry));
    };
    if (signal !== undefined) {
      signal.addEventListener("abort", end, { once: true });
      // So that an emitter that ends lets go of a signal that lives on.
      this.#ended.signal.addEventListener("abort", end, { once: true });
    }
    return { [Symbol.dispose]: end };
  }

  /** See {@linkcode Events.once}. */
  once<T extends E["type"] | "*">(
    type: T,
    options?: ListenOptions,
  ): Promise<EventOf<E, T>> {
    const ends = options?.signal
      ? [options.signal, this.#ended.signal]
      : [this.#ended.signal];
    return new Promise((resolve, reject) => {
      const aborted = ends.find((end) => end.aborted);
      if (aborted !== undefined) return reject(aborted.reason);
      const release = (): void => {
        subscription[Symbol.dispose]();
        for (const end of ends) end.removeEventListener("abort", onAbort);
      };
      const onAbort = (abort: Event): void => {
        release();
        reject((abort.target as AbortSignal).reason);
      };
      const subscription = this.on(type, (event) => {
        release();
        resolve(event);
      });
      for (const end of ends) {
        end.addEventListener("abort", onAbort, { once: true });
      }
    });
  }

  /** See {@linkcode Events.events}. */
  events(options?: StreamOptions): EventStream<E> {
    return new BufferedStream(this, this.#ended.signal, options);
  }

  /**
   * Ends every subscription and stream, and rejects every pending `once`. A
   * stream still gives what it holds. A second call does nothing.
   */
  [Symbol.dispose](): void {
    if (this.#ended.signal.aborted) return;
    for (const entry of this.#entries) entry.ended = true;
    this.#setEntries([]);
    this.#queue = [];
    this.#ended.abort(
      new DOMException("The emitter is disposed", "AbortError"),
    );
  }

  #listFor(type: string): readonly Entry<E>[] {
    let list = this.#byType.get(type);
    if (list === undefined) {
      list = this.#entries.filter((entry) =>
        entry.type === type || entry.type === "*"
      );
      // An unheard type is not remembered: types from outside cannot fill it.
      if (list.length > 0) this.#byType.set(type, list);
    }
    this.#lastType = type;
    this.#lastList = list;
    return list;
  }

  #setEntries(entries: readonly Entry<E>[]): void {
    this.#entries = entries;
    this.#byType = new Map();
    this.#lastType = undefined;
  }

  #enqueue(list: readonly Entry<E>[], event: E): void {
    if (++this.#chained > EMIT_CHAIN_LIMIT) {
      throw new RangeError(
        `Cannot emit "${event.type}": listeners already answered one event with ${EMIT_CHAIN_LIMIT} others: make one of them stop`,
      );
    }
    this.#queue.push({ list, event });
  }

  #drain(): void {
    // Not shift(): the queue may be long, and disposal replaces it.
    for (let i = 0; i < this.#queue.length; i++) {
      const { list, event } = this.#queue[i]!;
      this.#deliver(list, event);
    }
    this.#queue = [];
    this.#chained = 0;
  }

  #deliver(list: readonly Entry<E>[], event: E): void {
    for (let i = 0; i < list.length; i++) {
      const entry = list[i]!;
      if (entry.ended) continue;
      try {
        entry.listener(event);
      } catch (error) {
        queueMicrotask(() => this.#onListenerError(error));
      }
    }
  }
}
