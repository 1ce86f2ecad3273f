interface Waiter<T> {
  /** The number of the first reading that is fresh enough. */
  readonly from: number;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/**
 * Those who wait for a reading that began after they asked: the one under way
 * may be of before that.
 */
export class Waiters<T> {
  readonly #waiters = new Set<Waiter<T>>();

  /** Resolves with what the reading of that number gives, or a later one. */
  wait(from: number, signal?: AbortSignal): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const onAbort = () => waiter.reject(signal!.reason);
    const done = () => {
      signal?.removeEventListener("abort", onAbort);
      this.#waiters.delete(waiter);
    };
    const waiter: Waiter<T> = {
      from,
      resolve: (value) => (done(), resolve(value)),
      reject: (error) => (done(), reject(error)),
    };
    this.#waiters.add(waiter);
    signal?.addEventListener("abort", onAbort, { once: true });
    return promise;
  }

  /** Those whom the reading of that number answers. */
  answeredBy(number: number): readonly Pick<Waiter<T>, "resolve" | "reject">[] {
    return [...this.#waiters].filter(({ from }) => from <= number);
  }

  /** Ends all waiting. */
  rejectAll(error: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}
