/** An abort signal that knows who still listens to it. */
export interface CountedSignal {
  readonly signal: AbortSignal;
  /** How many abort listeners are there now. */
  readonly held: number;
  /** How many were ever added. */
  readonly added: number;
  abort(reason?: unknown): void;
}

/** Wraps a real signal: everything works, and is counted. */
export function countedSignal(): CountedSignal {
  const controller = new AbortController();
  const { signal } = controller;
  // By function, as the platform does: who removes another function than it
  // added removes nothing.
  const live = new Map<unknown, { readonly once: boolean }>();
  let added = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ) => {
    added++;
    live.set(listener, { once: typeof options === "object" && !!options.once });
    add(type, listener, options);
  };
  signal.removeEventListener = (
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | EventListenerOptions,
  ) => {
    live.delete(listener);
    remove(type, listener, options);
  };
  return {
    signal,
    get held() {
      return live.size;
    },
    get added() {
      return added;
    },
    abort(reason) {
      controller.abort(reason);
      for (const [listener, { once }] of live) {
        if (once) live.delete(listener);
      }
    },
  };
}
