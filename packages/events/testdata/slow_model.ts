import { type Action, type Event, listenerOf, perform } from "./actions.ts";
import { type Side, type Type, TYPES } from "./actions.ts";

interface Subscription {
  readonly type: Type | "*";
  readonly signal: number | undefined;
  readonly hear: (event: Event) => void;
  readonly onStop: (reason: string) => void;
  ended: boolean;
}

interface Stream {
  readonly limit: number;
  readonly reads: string[];
  subscription?: Subscription;
  held: string[];
  waiting: number;
  ended: boolean;
}

/**
 * The contract of `Events`, written out as plainly as can be: no list is kept,
 * no path is fast. What it says is right; the emitter must do the same.
 */
export class SlowModel implements Side {
  readonly heard: string[] = [];
  readonly errors: string[] = [];
  readonly settled: (string | undefined)[] = [];
  readonly reads: string[][] = [];
  readonly dropped: number[] = [];
  readonly #aborted: boolean[];
  readonly #onAbort: readonly (readonly Action[])[];
  // In the order of registration; ended ones stay.
  readonly #subscriptions: Subscription[] = [];
  readonly #listeners: Subscription[] = [];
  readonly #streams: Stream[] = [];
  #waiting: { event: Event; audience: Subscription[] }[] = [];
  #delivering = false;
  #disposed = false;
  #emitted = 0;

  constructor(onAbort: readonly (readonly Action[])[]) {
    this.#onAbort = onAbort;
    this.#aborted = onAbort.map(() => false);
  }

  #listens(subscription: Subscription): boolean {
    return !subscription.ended && !this.#isAborted(subscription.signal);
  }

  #isAborted(signal: number | undefined): boolean {
    return signal !== undefined && this.#aborted[signal] === true;
  }

  #subscribe(
    type: Type | "*",
    signal: number | undefined,
    hear: (event: Event) => void,
    onStop: (reason: string) => void,
  ): Subscription {
    const subscription = { type, signal, hear, onStop, ended: false };
    this.#subscriptions.push(subscription);
    // An aborted signal at the start, or a disposed emitter, registers nothing.
    if (this.#isAborted(signal) || this.#disposed) this.#stop(subscription);
    return subscription;
  }

  #stop(subscription: Subscription): void {
    if (subscription.ended) return;
    subscription.ended = true;
    subscription.onStop(
      this.#isAborted(subscription.signal)
        ? `reason ${subscription.signal}`
        : "AbortError",
    );
  }

  on(action: Action & { readonly do: "on" }): void {
    const hear = listenerOf(this, this.#listeners.length, action);
    this.#listeners.push(
      this.#subscribe(action.type, action.signal, hear, () => {}),
    );
  }

  off(which: number): void {
    const listener = this.#listeners[which % this.#listeners.length];
    if (listener !== undefined) listener.ended = true;
  }

  once(action: Action & { readonly do: "once" }): void {
    const id = this.settled.push(undefined) - 1;
    const subscription = this.#subscribe(
      action.type,
      action.signal,
      (event) => {
        subscription.ended = true;
        this.settled[id] = `${event.type}${event.n}`;
      },
      (reason) => this.settled[id] = reason,
    );
  }

  open(action: Action & { readonly do: "open" }): void {
    const reads: string[] = [];
    const stream: Stream = {
      limit: action.limit,
      reads,
      held: [],
      waiting: 0,
      ended: false,
    };
    const id = this.#streams.push(stream) - 1;
    this.reads.push(reads);
    this.dropped.push(0);
    stream.subscription = this.#subscribe("*", action.signal, (event) => {
      const value = `${event.type}${event.n}`;
      if (stream.waiting > 0) {
        stream.waiting--;
        reads.push(value);
        return;
      }
      stream.held.push(value);
      if (stream.held.length > stream.limit) {
        stream.held.shift();
        this.dropped[id]!++;
      }
    }, () => this.#endStream(stream));
  }

  #endStream(stream: Stream): void {
    stream.ended = true;
    for (; stream.waiting > 0; stream.waiting--) stream.reads.push("done");
  }

  read(which: number): void {
    const stream = this.#streams[which % this.#streams.length];
    if (stream === undefined) return;
    const value = stream.held.shift();
    if (value !== undefined) stream.reads.push(value);
    else if (stream.ended) stream.reads.push("done");
    else stream.waiting++;
  }

  close(which: number): void {
    const stream = this.#streams[which % this.#streams.length];
    if (stream === undefined) return;
    if (stream.subscription !== undefined) stream.subscription.ended = true;
    stream.held = [];
    this.#endStream(stream);
  }

  emit(type: Type): void {
    const event: Event = { type, n: this.#emitted++ };
    const audience = this.#subscriptions.filter((subscription) =>
      this.#listens(subscription) &&
      (subscription.type === "*" || subscription.type === type)
    );
    this.#waiting.push({ event, audience });
    if (this.#delivering) return;
    this.#delivering = true;
    while (this.#waiting.length > 0) {
      const { event, audience } = this.#waiting.shift()!;
      for (const subscription of audience) {
        if (!this.#listens(subscription)) continue;
        try {
          subscription.hear(event);
        } catch (error) {
          this.errors.push(String(error));
        }
      }
    }
    this.#delivering = false;
  }

  abort(signal: number): void {
    if (this.#aborted[signal]) return;
    this.#aborted[signal] = true;
    for (const action of this.#onAbort[signal]!) perform(this, action);
    for (const subscription of this.#subscriptions) {
      if (subscription.signal === signal) this.#stop(subscription);
    }
  }

  dispose(): void {
    this.#disposed = true;
    this.#waiting = [];
    for (const subscription of this.#subscriptions) this.#stop(subscription);
  }

  get audible(): readonly boolean[] {
    return TYPES.map((type) =>
      this.#subscriptions.some((subscription) =>
        this.#listens(subscription) &&
        (subscription.type === "*" || subscription.type === type)
      )
    );
  }

  get held(): readonly number[] {
    return this.#onAbort.map((_, signal) =>
      this.#subscriptions.filter((subscription) =>
        this.#listens(subscription) && subscription.signal === signal
      ).length
    );
  }
}
