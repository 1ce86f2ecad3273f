/** Reads and writes of the program that wait for the stream, in order. */

interface Waiter<T> {
  readonly attempt: () => T | undefined;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

/** A queue of operations that are tried again whenever something moved. */
export class Waiting<T> {
  readonly #waiters: Waiter<T>[] = [];

  /** Whether somebody waits. */
  get busy(): boolean {
    return this.#waiters.length > 0;
  }

  /** Waits until `attempt` gives something. */
  add(attempt: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ attempt, resolve, reject });
    });
  }

  /** Tries again, the oldest first, until one must go on waiting. */
  retry(): void {
    while (this.#waiters.length > 0) {
      // Taken out first: what an attempt sets off may end in this very method.
      const waiter = this.#waiters.shift()!;
      const value = waiter.attempt();
      if (value === undefined) {
        this.#waiters.unshift(waiter);
        return;
      }
      waiter.resolve(value);
    }
  }

  /** Ends them all. */
  reject(error: () => unknown): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error());
  }
}
