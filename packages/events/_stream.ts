import type {
  EventLike,
  Events,
  EventStream,
  StreamOptions,
} from "./events.ts";

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
  readonly #ends: readonly AbortSignal[];
  #done = false;

  constructor(source: Events<E>, ended: AbortSignal, options?: StreamOptions) {
    const { limit = STREAM_LIMIT_DEFAULT, signal } = options ?? {};
    if (!Number.isInteger(limit) || limit < 1) {
      throw new RangeError(
        `Cannot read events: limit must be a positive integer: current value is ${limit}`,
      );
    }
    this.#limit = limit;
    this.#ends = signal ? [ended, signal] : [ended];
    this.#subscription = source.on("*", (event) => this.#push(event));
    if (this.#ends.some((end) => end.aborted)) {
      this.#end();
      return;
    }
    for (const end of this.#ends) {
      end.addEventListener("abort", this.#end, { once: true });
    }
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

  // An arrow, so that the very function that was added can be removed.
  readonly #end = (): void => {
    if (this.#done) return;
    this.#done = true;
    this.#subscription[Symbol.dispose]();
    for (const end of this.#ends) end.removeEventListener("abort", this.#end);
    for (const waiter of this.#waiting.splice(0)) {
      waiter({ done: true, value: undefined });
    }
  };

  next(): Promise<IteratorResult<E, undefined>> {
    if (this.#size > 0) {
      const value = this.#ring[this.#head] as E;
      this.#ring[this.#head] = undefined;
      this.#head = (this.#head + 1) % this.#limit;
      this.#size--;
      return Promise.resolve({ done: false, value });
    }
    if (this.#done) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  return(): Promise<IteratorResult<E, undefined>> {
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
