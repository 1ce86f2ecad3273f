/** Work on the same thing, one after the other; on different things at once. */

/** See the module's comment. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Runs it once all that came before it for this name has settled. */
  async take<T>(name: string, run: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last.set(name, promise);
    try {
      await before;
      return await run();
    } finally {
      resolve();
      if (this.#last.get(name) === promise) this.#last.delete(name);
    }
  }
}
