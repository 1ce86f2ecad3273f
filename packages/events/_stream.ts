import type { EventLike, EventStream } from "./events.ts";

const STREAM_LIMIT_DEFAULT = 256;

/** A bounded, drop-oldest queue between a source and one async iterator. */
export class BufferedStream<E extends EventLike> implements EventStream<E> {
  dropped = 0;
  readonly #limit: number;
  // A ring that is allocated as it fills: `limit` may be large, most streams
  // are short.
  readonly #ring: (E | undefined)[] = [];
  #head = 0;
  #size = 0;
  readonly #waiting: ((result: IteratorResult<E, undefined>) => void)[] = [];
  readonly #subscription: Disposable;
  #done = false;

  /** `listen` starts the flow; it calls `end` when that stops by itself. */
  constructor(
    listen: (push: (event: E) => void, end: () => void) => Disposable,
    limit: number = STREAM_LIMIT_DEFAULT,
  ) {
    if (!Number.isSafeInteger(limit) || limit < 1) {
      throw new RangeError(
        `Cannot read events: limit is ${limit}: pass a positive integer`,
      );
    }
    this.#limit = limit;
    this.#subscription = listen(
      (event) => this.#push(event),
      () => this.#end(),
    );
  }

  #push(event: E): void {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) return waiter({ done: false, value: event });
    if (this.#size === this.#limit) {
      this.#ring[this.#head] = event;
      this.#head = (this.#head + 1) % this.#limit;
      this.dropped++;
      return;
    }
    this.#ring[(this.#head + this.#size) % this.#limit] = event;
    this.#size++;
  }

  #end(): void {
    this.#done = true;
    for (const waiter of this.#waiting.splice(0)) {
      waiter({ done: true, value: undefined });
    }
  }

  next(): Promise<IteratorResult<E, undefined>> {
    if (this.#size > 0) {
      const value = this.#ring[this.#head] as E;
      this.#ring[this.#head] = undefined;
      this.#size--;
      // An empty ring starts over, so that it grows to what ever waited at once
      // and not to `limit`.
      this.#head = this.#size === 0 ? 0 : (this.#head + 1) % this.#limit;
      return Promise.resolve({ done: false, value });
    }
    if (this.#done) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<IteratorResult<E, undefined>> {
    this.#subscription[Symbol.dispose]();
    this.#ring.length = 0;
    this.#head = 0;
    this.#size = 0;
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
