/** The least that an event must say: which kind it is. */
export interface EventLike {
  /** The kind of event, unique within its source. */
  readonly type: string;
}

/**
 * The members of the union `E` whose `type` is `T` or may be it; all of them
 * for `"*"`.
 */
export type EventOf<E extends EventLike, T extends E["type"] | "*"> = T extends
  "*" ? E
  // For each member of E by itself: one may have several types, or any string.
  : E extends EventLike ? T extends E["type"] ? E : never
  : never;

/** Options for {@linkcode Events.on} and {@linkcode Events.once}. */
export interface ListenOptions {
  /** Ends the subscription when aborted; an aborted one starts none. */
  readonly signal?: AbortSignal | undefined;
}

/** Options for {@linkcode Events.events}. */
export interface StreamOptions extends ListenOptions {
  /**
   * How many events may wait for the consumer. Past it the oldest is dropped
   * and counted in {@linkcode EventStream.dropped}.
   *
   * @default {256}
   */
  readonly limit?: number | undefined;
}

/**
 * The events of one source in order, read at the consumer's pace.
 *
 * Breaking out of `for await`, `return()` and `await using` all end it and drop
 * what it holds. When its signal aborts or the source ends, it still gives what
 * it holds and is done after that; it never rejects.
 */
export interface EventStream<E extends EventLike>
  extends AsyncIterableIterator<E, undefined>, AsyncDisposable {
  /** How many events were dropped because the consumer was too slow. */
  readonly dropped: number;
}

/**
 * The reading side of a source of typed events: what every Holdfast handle
 * offers, and the one interface through which the packages meet.
 *
 * The contract:
 *
 * - Delivery is synchronous, in the order of registration (for one type or for
 *   `"*"` alike), to those who listened when the event was emitted. Who ended
 *   meanwhile, or whose signal is aborted, hears nothing.
 * - An event emitted inside a listener is delivered after the current one.
 * - A listener that throws stops nobody; its error goes to the emitter's
 *   `onListenerError`.
 * - Ending is idempotent: by `using`, by `signal`, or by the source's end.
 * - Streams are bounded. Who must not miss anything reads the source's
 *   `state`: events only say that it changed.
 */
export interface Events<E extends EventLike> {
  /**
   * Calls `listener` for each event of one type, or of every type for `"*"`,
   * until the result is disposed. The same function given twice is called twice.
   */
  on<T extends E["type"] | "*">(
    type: T,
    listener: (event: EventOf<E, T>) => void,
    options?: ListenOptions,
  ): Disposable;
  /**
   * Resolves with the next event of the type. Rejects with the reason of the
   * signal, or with an `AbortError` when the source ends first.
   */
  once<T extends E["type"] | "*">(
    type: T,
    options?: ListenOptions,
  ): Promise<EventOf<E, T>>;
  /**
   * Reads all events from now on, in order, through a bounded buffer.
   *
   * @throws {RangeError} When `limit` is not a positive integer.
   */
  events(options?: StreamOptions): EventStream<E>;
}
