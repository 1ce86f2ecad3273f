/** A signal that also aborts after a time; dispose it, so that no timer stays. */
export class Limit implements Disposable {
  /** Aborts with the reason of the first signal, or a `TimeoutError`. */
  readonly signal: AbortSignal;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(ms: number, ...signals: readonly AbortSignal[]) {
    const late = new AbortController();
    this.#timer = setTimeout(() =>
      late.abort(
        new DOMException(`There was no answer within ${ms} ms`, "TimeoutError"),
      ), ms);
    this.signal = AbortSignal.any([...signals, late.signal]);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** Rejects with its reason when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), {
      once: true,
    });
  });
}
