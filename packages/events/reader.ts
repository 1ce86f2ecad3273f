import type {
  EventLike,
  EventOf,
  Events,
  EventStream,
  ListenOptions,
  StreamOptions,
} from "./events.ts";

/**
 * A source seen from outside: it can be listened to, and nothing else. Handles
 * extend it and keep their emitter private.
 */
export class EventReader<E extends EventLike> implements Events<E> {
  readonly #source: Events<E>;

  /** Shows the events of `source`. */
  constructor(source: Events<E>) {
    this.#source = source;
  }

  /** See {@linkcode Events.on}. */
  on<T extends E["type"] | "*">(
    type: T,
    listener: (event: EventOf<E, T>) => void,
    options?: ListenOptions,
  ): Disposable {
    return this.#source.on(type, listener, options);
  }

  /** See {@linkcode Events.once}. */
  once<T extends E["type"] | "*">(
    type: T,
    options?: ListenOptions,
  ): Promise<EventOf<E, T>> {
    return this.#source.once(type, options);
  }

  /** See {@linkcode Events.events}. */
  events(options?: StreamOptions): EventStream<E> {
    return this.#source.events(options);
  }
}
