import type { EventLike, Events, ListenOptions } from "./events.ts";

/** Options for {@linkcode relay}. */
export interface RelayOptions<From extends EventLike, To extends EventLike>
  extends ListenOptions {
  /**
   * What to emit for an event; `undefined` passes nothing on. Without it each
   * event is passed on as it is.
   */
  readonly map?: ((event: From) => To | undefined) | undefined;
}

/**
 * Passes every event of `source` on to `target`, until the result is disposed,
 * the signal aborts or the source ends. It does not see the end of the target:
 * who ends that disposes the relay too.
 *
 * What `map` throws goes to the source's `onListenerError`.
 *
 * ```ts
 * import { Emitter, relay } from "@holdfast/events/emitter";
 * import { assertEquals } from "@std/assert";
 *
 * const inner = new Emitter<{ readonly type: "tick"; readonly count: number }>();
 * const outer = new Emitter<{ readonly type: "inner"; readonly count: number }>();
 * using _relay = relay(inner, outer, {
 *   map: (event) => ({ type: "inner", count: event.count }),
 * });
 * const counts: number[] = [];
 * outer.on("inner", (event) => counts.push(event.count));
 * inner.emit({ type: "tick", count: 1 });
 * assertEquals(counts, [1]);
 * ```
 */
// `Made` on its own, so that the target decides what fits and the function's
// result is checked against it; `const`, so that "inner" is not read as string.
export function relay<
  From extends EventLike,
  To extends EventLike,
  const Made extends To,
>(
  source: Events<From>,
  target: { emit(event: To): void },
  options: RelayOptions<From, Made> & {
    readonly map: (event: From) => Made | undefined;
  },
): Disposable;
/** Passes each event on as it is, to a target that takes every one of them. */
export function relay<From extends To, To extends EventLike>(
  source: Events<From>,
  target: { emit(event: To): void },
  options?: ListenOptions,
): Disposable;
export function relay<From extends EventLike, To extends EventLike>(
  source: Events<From>,
  target: { emit(event: To): void },
  options: RelayOptions<From, To> = {},
): Disposable {
  const map = options.map ?? ((event: From) => event as unknown as To);
  return source.on("*", (event) => {
    const mapped = map(event as From);
    if (mapped !== undefined) target.emit(mapped);
  }, { signal: options.signal });
}
