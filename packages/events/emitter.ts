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
const NOBODY: readonly never[] = [];

/** Options for {@linkcode Emitter}. */
export interface EmitterOptions {
  /**
   * Receives what a listener throws, in a microtask after the delivery. The
   * default throws it there, an uncaught error, which ends a Deno program: pass
   * a function that logs to keep going.
   *
   * @default {(error) => { throw error; }}
   */
  readonly onListenerError?: ((error: unknown) => void) | undefined;
}

/** One subscription. */
interface Entry<E> {
  readonly type: string;
  readonly listener: (event: E) => void;
  readonly signal: AbortSignal | undefined;
  ended: boolean;
  /** Ends it from outside: the signal aborted, or the emitter is disposed. */
  readonly stop: () => void;
}

/**
 * The writing side of {@linkcode Events}. Keep it private to its owner and
 * show an {@linkcode EventReader}: then nobody else can emit.
 */
export class Emitter<E extends EventLike> implements Events<E>, Disposable {
  // In the order of registration, which a Set keeps; made for the first one,
  // since of many thousand sources most are never listened to.
  #entries: Set<Entry<E>> | undefined;
  // Who hears each type that somebody named; "*" stands for all other types, so
  // that types from outside cannot fill the map. Made at the first emit after a
  // change, and never changed in place: a delivery under way keeps the list that
  // was there when its event was emitted, without a copy.
  #lists: Map<string, readonly Entry<E>[]> | undefined;
  // The list of the type emitted last: sources mostly repeat themselves, and a
  // comparison is several times cheaper than a look-up in a map.
  #lastType: string | undefined;
  #lastList: readonly Entry<E>[] = NOBODY;
  #queue: { readonly list: readonly Entry<E>[]; readonly event: E }[] = [];
  #delivering = false;
  #chained = 0;
  #disposed = false;
  readonly #onListenerError: (error: unknown) => void;

  /** Makes an emitter that nobody listens to yet. */
  constructor(options: EmitterOptions = {}) {
    this.#onListenerError = options.onListenerError ?? throwAgain;
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
    try {
      this.#deliver(list, event);
      if (this.#queue.length > 0) this.#drain();
    } finally {
      // Nothing above throws, except that the stack may be full already: then
      // this emitter must not take itself for busy ever after.
      this.#delivering = false;
      if (this.#queue.length > 0) {
        this.#queue = [];
        this.#chained = 0;
      }
    }
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
    return this.#listen(type, listener as (event: E) => void, options?.signal);
  }

  /** See {@linkcode Events.once}. */
  once<T extends E["type"] | "*">(
    type: T,
    options?: ListenOptions,
  ): Promise<EventOf<E, T>> {
    return new Promise((resolve, reject) => {
      const subscription = this.#listen(
        type,
        (event) => {
          subscription[Symbol.dispose]();
          resolve(event as EventOf<E, T>);
        },
        options?.signal,
        reject,
      );
    });
  }

  /** See {@linkcode Events.events}. */
  events(options?: StreamOptions): EventStream<E> {
    return new BufferedStream<E>(
      (push, end) => this.#listen("*", push, options?.signal, end),
      options?.limit,
    );
  }

  /**
   * Ends every subscription and stream, and rejects every pending `once`. A
   * stream still gives what it holds; events that wait for their delivery
   * because a listener emitted them are dropped. A second call does nothing.
   */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const entry of this.#entries ?? []) entry.stop();
  }

  /** `onStop` hears of an end that the holder of the result did not ask for. */
  #listen(
    type: string,
    listener: (event: E) => void,
    signal: AbortSignal | undefined,
    onStop?: (reason: unknown) => void,
  ): Disposable {
    if (signal?.aborted || this.#disposed) {
      onStop?.(reasonToStop(signal));
      return NOTHING;
    }
    const stop = (): void => {
      end();
      onStop?.(reasonToStop(signal));
    };
    const entry: Entry<E> = { type, listener, signal, ended: false, stop };
    const end = (): void => {
      if (entry.ended) return;
      entry.ended = true;
      signal?.removeEventListener("abort", stop);
      this.#entries?.delete(entry);
      this.#forgetLists();
    };
    (this.#entries ??= new Set()).add(entry);
    this.#forgetLists();
    signal?.addEventListener("abort", stop, { once: true });
    return { [Symbol.dispose]: end };
  }

  #forgetLists(): void {
    this.#lists = undefined;
    this.#lastType = undefined;
    this.#lastList = NOBODY;
  }

  #listFor(type: string): readonly Entry<E>[] {
    if (this.#entries === undefined) return NOBODY;
    this.#lists ??= listsOf(this.#entries);
    this.#lastType = type;
    this.#lastList = this.#lists.get(type) ?? this.#lists.get("*") ?? NOBODY;
    return this.#lastList;
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
    // Not shift(): the queue may be long.
    for (let i = 0; i < this.#queue.length; i++) {
      const { list, event } = this.#queue[i]!;
      this.#deliver(list, event);
    }
  }

  #deliver(list: readonly Entry<E>[], event: E): void {
    for (let i = 0; i < list.length; i++) {
      const entry = list[i]!;
      // The signal itself is asked too: another of its abort listeners, called
      // before ours, may be who emits this event.
      if (entry.ended || entry.signal?.aborted) continue;
      // Not as a method: a listener has no business with the entry.
      const { listener } = entry;
      try {
        listener(event);
      } catch (error) {
        this.#report(error);
      }
    }
  }

  // On its own: a function that captures `this` inside the loop would cost an
  // allocation for every event, thrown or not.
  #report(error: unknown): void {
    const handle = this.#onListenerError;
    queueMicrotask(() => handle(error));
  }
}

/** Who hears each named type, in order of registration; "*" are the others. */
function listsOf<E>(entries: Set<Entry<E>>): Map<string, Entry<E>[]> {
  const lists = new Map<string, Entry<E>[]>([["*", []]]);
  for (const { type } of entries) lists.set(type, []);
  for (const entry of entries) {
    if (entry.type !== "*") lists.get(entry.type)!.push(entry);
    else for (const list of lists.values()) list.push(entry);
  }
  return lists;
}

function reasonToStop(signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  return new DOMException("The emitter is disposed", "AbortError");
}

// In a microtask this is what reportError() does, and Node has no reportError.
function throwAgain(error: unknown): never {
  throw error;
}
