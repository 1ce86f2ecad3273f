/** Things that come, and those who wait for them, each in order. */
export class AcceptQueue<T> {
  readonly #ready: T[] = [];
  readonly #waiting: ((next: T | undefined) => void)[] = [];
  #ended = false;

  /** Gives one to whoever has waited longest. */
  push(one: T): void {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) waiter(one);
    else this.#ready.push(one);
  }

  /** The next one; `undefined` once it is over and all have been taken. */
  next(): Promise<T | undefined> {
    const ready = this.#ready.shift();
    if (ready !== undefined || this.#ended) return Promise.resolve(ready);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** All that come, until it is over. */
  async *all(): AsyncIterableIterator<T> {
    for (;;) {
      const next = await this.next();
      if (next === undefined) return;
      yield next;
    }
  }

  end(): void {
    this.#ended = true;
    for (const waiter of this.#waiting.splice(0)) waiter(undefined);
  }
}
