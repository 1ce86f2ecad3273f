/**
 * What the property tests do to an emitter, as data: the same actions run
 * against the real one and against the slow model, at the top level, inside
 * listeners and inside abort handlers.
 */

/** Names of events; "none" is never listened to by name. */
export const TYPES = ["a", "b", "none"] as const;
export type Type = (typeof TYPES)[number];
export type Event = { readonly type: Type; readonly n: number };

/** Subscriptions, onces and streams are named by the order of their making. */
export type Action =
  | {
    readonly do: "on";
    readonly type: Exclude<Type, "none"> | "*";
    readonly signal?: number | undefined;
    /** What the listener does when called; only the first `calls` times. */
    readonly then: readonly Action[];
    readonly calls: number;
  }
  | { readonly do: "off"; readonly which: number }
  | {
    readonly do: "once";
    readonly type: Exclude<Type, "none"> | "*";
    readonly signal?: number | undefined;
  }
  | {
    readonly do: "open";
    readonly limit: number;
    readonly signal?: number | undefined;
  }
  | { readonly do: "read"; readonly which: number }
  | { readonly do: "close"; readonly which: number }
  | { readonly do: "emit"; readonly type: Type }
  | { readonly do: "abort"; readonly signal: number }
  | { readonly do: "throw" }
  | { readonly do: "dispose" };

/** What both sides do, and what can be seen of it. */
export interface Side {
  on(action: Action & { readonly do: "on" }): void;
  off(which: number): void;
  once(action: Action & { readonly do: "once" }): void;
  open(action: Action & { readonly do: "open" }): void;
  read(which: number): void;
  close(which: number): void;
  emit(type: Type): void;
  abort(signal: number): void;
  dispose(): void;
  /** What was heard so far, in order. */
  readonly heard: string[];
  /** What `onListenerError` got, in order. */
  readonly errors: string[];
  /** How each `once` ended, if it did. */
  readonly settled: (string | undefined)[];
  /** What each stream's reads gave so far, in order. */
  readonly reads: string[][];
  /** What each stream dropped. */
  readonly dropped: readonly number[];
  /** Which types would be heard. */
  readonly audible: readonly boolean[];
  /** How many subscriptions each signal holds. */
  readonly held: readonly number[];
}

/** Does one action. */
export function perform(side: Side, action: Action): void {
  switch (action.do) {
    case "on":
      return side.on(action);
    case "off":
      return side.off(action.which);
    case "once":
      return side.once(action);
    case "open":
      return side.open(action);
    case "read":
      return side.read(action.which);
    case "close":
      return side.close(action.which);
    case "emit":
      return side.emit(action.type);
    case "abort":
      return side.abort(action.signal);
    case "dispose":
      return side.dispose();
    case "throw":
      throw new Error("thrown by a listener");
  }
}

/** What a listener does: takes note, and acts the first few times. */
export function listenerOf(
  side: Side,
  id: number,
  action: Action & { readonly do: "on" },
): (event: Event) => void {
  let calls = 0;
  return (event) => {
    side.heard.push(`${id} hears ${event.type}${event.n}`);
    if (++calls > action.calls) return;
    for (const next of action.then) perform(side, next);
    side.heard.push(`${id} is done`);
  };
}
