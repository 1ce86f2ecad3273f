import type { EventStream } from "../mod.ts";
import { Emitter } from "../emitter.ts";
import { type Action, type Event, listenerOf, perform } from "./actions.ts";
import { type Side, type Type, TYPES } from "./actions.ts";
import { type CountedSignal, countedSignal } from "./counted_signal.ts";

/** The real emitter behind the same face as the model. */
export class RealSide implements Side {
  readonly heard: string[] = [];
  readonly errors: string[] = [];
  readonly settled: (string | undefined)[] = [];
  readonly reads: string[][] = [];
  readonly #emitter = new Emitter<Event>({
    onListenerError: (error) => this.errors.push(String(error)),
  });
  readonly #signals: readonly CountedSignal[];
  readonly #listeners: Disposable[] = [];
  readonly #streams: EventStream<Event>[] = [];
  #emitted = 0;

  constructor(onAbort: readonly (readonly Action[])[]) {
    this.#signals = onAbort.map((actions) => {
      const counted = countedSignal();
      // Added first, so that it runs before what the emitter adds.
      counted.signal.addEventListener("abort", () => {
        for (const action of actions) perform(this, action);
      }, { once: true });
      return counted;
    });
  }

  #signal(which: number | undefined): AbortSignal | undefined {
    return which === undefined ? undefined : this.#signals[which]!.signal;
  }

  on(action: Action & { readonly do: "on" }): void {
    const hear = listenerOf(this, this.#listeners.length, action);
    const signal = this.#signal(action.signal);
    this.#listeners.push(this.#emitter.on(action.type, hear, { signal }));
  }

  off(which: number): void {
    this.#listeners[which % this.#listeners.length]?.[Symbol.dispose]();
  }

  once(action: Action & { readonly do: "once" }): void {
    const id = this.settled.push(undefined) - 1;
    const signal = this.#signal(action.signal);
    this.#emitter.once(action.type, { signal }).then(
      (event) => this.settled[id] = `${event.type}${event.n}`,
      (error) =>
        this.settled[id] = error instanceof DOMException
          ? error.name
          : String(error),
    );
  }

  open(action: Action & { readonly do: "open" }): void {
    const { limit } = action;
    const signal = this.#signal(action.signal);
    this.reads.push([]);
    this.#streams.push(this.#emitter.events({ limit, signal }));
  }

  read(which: number): void {
    const id = which % this.#streams.length;
    this.#streams[id]?.next().then(({ done, value }) => {
      this.reads[id]!.push(done ? "done" : `${value.type}${value.n}`);
    });
  }

  close(which: number): void {
    this.#streams[which % this.#streams.length]?.return?.();
  }

  emit(type: Type): void {
    this.#emitter.emit({ type, n: this.#emitted++ });
  }

  abort(signal: number): void {
    this.#signals[signal]!.abort(`reason ${signal}`);
  }

  dispose(): void {
    this.#emitter[Symbol.dispose]();
  }

  get dropped(): readonly number[] {
    return this.#streams.map((stream) => stream.dropped);
  }

  get audible(): readonly boolean[] {
    return TYPES.map((type) => this.#emitter.hasListeners(type));
  }

  get held(): readonly number[] {
    // Less our own abort handler, which is there until it ran.
    return this.#signals.map(({ signal, held }) =>
      signal.aborted ? held : held - 1
    );
  }
}
