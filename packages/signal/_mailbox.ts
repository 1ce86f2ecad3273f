import type { Message, ReceiveOptions } from "./signalling.ts";

type Result = IteratorResult<Message, undefined>;

const DONE: Result = { done: true, value: undefined };

/** Messages that wait for a reader, up to a limit; nothing is ever dropped. */
export class Mailbox {
  readonly #limit: number;
  readonly #unread: Message[] = [];
  readonly #readers: Set<(result: Result) => void> = new Set();
  readonly #onRoom: () => void;
  #closed = false;

  /** `onRoom` is called when there is room again for something. */
  constructor(limit: number, onRoom: () => void = () => {}) {
    this.#limit = limit;
    this.#onRoom = onRoom;
  }

  /** How many wait. */
  get size(): number {
    return this.#unread.length;
  }

  /** How many more it takes. */
  get room(): number {
    if (this.#closed) return 0;
    return this.#readers.size + this.#limit - this.#unread.length;
  }

  /** Takes a message; `false` when there is no room for it. */
  offer(message: Message): boolean {
    const [reader] = this.#readers;
    if (reader !== undefined) {
      this.#readers.delete(reader);
      reader({ done: false, value: message });
      return true;
    }
    if (this.#closed || this.#unread.length >= this.#limit) return false;
    this.#unread.push(message);
    return true;
  }

  /** Reads until the mailbox is closed and empty. */
  read(
    options: ReceiveOptions = {},
  ): AsyncIterableIterator<Message, undefined> {
    const { signal } = options;
    const own = new Set<(result: Result) => void>();
    let ended = false;
    const end = (): void => {
      ended = true;
      signal?.removeEventListener("abort", end);
      for (const reader of own) {
        this.#readers.delete(reader);
        reader(DONE);
      }
    };
    if (signal?.aborted) ended = true;
    else signal?.addEventListener("abort", end, { once: true });
    return {
      next: () => {
        if (ended) return Promise.resolve(DONE);
        const message = this.#unread.shift();
        if (message !== undefined) {
          if (!this.#closed) this.#onRoom();
          return Promise.resolve({ done: false, value: message });
        }
        if (this.#closed) {
          end();
          return Promise.resolve(DONE);
        }
        const { promise, resolve } = Promise.withResolvers<Result>();
        const reader = (result: Result): void => {
          own.delete(reader);
          if (result.done) end();
          resolve(result);
        };
        own.add(reader);
        this.#readers.add(reader);
        return promise;
      },
      return: () => {
        end();
        return Promise.resolve(DONE);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Ends the readers that wait; what is unread can still be read. */
  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) reader(DONE);
    this.#readers.clear();
  }
}
