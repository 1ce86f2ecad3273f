import { Emitter, type EmitterOptions, EventReader, relay } from "./emitter.ts";
import type { EventLike, Events, ListenOptions } from "./events.ts";

/** Options for {@linkcode merge}. */
export interface MergeOptions extends ListenOptions, EmitterOptions {}

/** Several sources read as one; disposing it leaves the sources as they are. */
export interface MergedEvents<E extends EventLike>
  extends Events<E>, Disposable {}

class Merged<E extends EventLike> extends EventReader<E>
  implements MergedEvents<E> {
  readonly #end: () => void;

  constructor(sources: readonly Events<E>[], options: MergeOptions) {
    const emitter = new Emitter<E>(options);
    super(emitter);
    const { signal } = options;
    const relays = sources.map((source) => relay(source, emitter, { signal }));
    this.#end = () => {
      signal?.removeEventListener("abort", this.#end);
      for (const one of relays) one[Symbol.dispose]();
      emitter[Symbol.dispose]();
    };
    if (signal?.aborted) this.#end();
    else signal?.addEventListener("abort", this.#end, { once: true });
  }

  [Symbol.dispose](): void {
    this.#end();
  }
}

/**
 * Reads several sources as one, so that a program can watch a whole
 * composition in one stream. The events come in the order in which the sources
 * deliver them, those of each source in its own order; a source given twice
 * gives its events twice.
 *
 * Who merges disposes, or aborts the signal: a source that ends by itself does
 * not end the others, nor the merged one.
 *
 * ```ts
 * import { merge } from "@holdfast/events";
 * import { Emitter } from "@holdfast/events/emitter";
 * import { assertEquals } from "@std/assert";
 *
 * const door = new Emitter<{ readonly type: "opened" }>();
 * const light = new Emitter<{ readonly type: "lit" }>();
 * using house = merge([door, light]);
 * const types: string[] = [];
 * house.on("*", (event) => types.push(event.type));
 * door.emit({ type: "opened" });
 * light.emit({ type: "lit" });
 * assertEquals(types, ["opened", "lit"]);
 * ```
 */
export function merge<const L extends readonly EventLike[]>(
  sources: { readonly [K in keyof L]: Events<L[K]> },
  options: MergeOptions = {},
): MergedEvents<L[number]> {
  return new Merged<L[number]>(
    sources as readonly Events<L[number]>[],
    options,
  );
}
