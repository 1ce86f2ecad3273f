/** Things that come, and those who wait for them, each in order. */
export class AcceptQueue<T> {
  readonly #ready: T[] = [];
  readonly #waiting: ((next: T | undefined) => void)[] = [];
  #ended = false;

  /** How many have come that nobody has taken. */
  get length(): number {
    return this.#ready.length;
  }

  /** Whether somebody waits for the next one. */
  get wanted(): boolean {
    return this.#waiting.length > 0;
  }

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

  /** One that has come is not to be had any more. */
  forget(one: T): void {
    const at = this.#ready.indexOf(one);
    if (at >= 0) this.#ready.splice(at, 1);
  }

  /** Nothing comes any more: who waits is told so. */
  end(): void {
    this.#ended = true;
    for (const waiter of this.#waiting.splice(0)) waiter(undefined);
  }

  /** What nobody has taken, which is not to be had here any more. */
  takeAll(): T[] {
    return this.#ready.splice(0);
  }
}
