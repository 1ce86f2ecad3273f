/** Work that runs on its own and that closing waits for. */
export class TaskSet {
  readonly #running: Set<Promise<void>> = new Set();

  get size(): number {
    return this.#running.size;
  }

  /** Starts it. It must not fail: what does is a bug, and is left uncaught. */
  run(work: () => Promise<void>): void {
    const task = work().finally(() => this.#running.delete(task));
    this.#running.add(task);
  }

  /** Resolves once nothing runs, what was started meanwhile included. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }
}
