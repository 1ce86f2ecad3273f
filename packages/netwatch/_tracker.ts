import { Emitter, EventReader } from "@holdfast/events/emitter";
import {
  diffPath,
  evaluatePath,
  type Path,
  type PathEvent,
  type PathHandle,
  type PathState,
} from "./path.ts";
import { lookupOf, type Lookups } from "./_lookup.ts";
import type { NetworkSnapshot } from "./snapshot.ts";

/** While everything changes all the time, a change is told all the same. */
const TRIES_MAX = 3;

/** One tracked path; its watch feeds it snapshots. */
export class TrackedPath extends EventReader<PathEvent> implements PathHandle {
  readonly path: Path;
  /** What the way that it takes is known by; absent when none is asked for. */
  readonly lookup: string | undefined;
  readonly #emitter: Emitter<PathEvent>;
  readonly #onDispose: (path: TrackedPath) => void;
  #state: PathState;
  /** Whether the state rests on the kernel's own answer for this path. */
  #exact = false;
  /** A change that the next reading must confirm. */
  #doubt: { readonly state: PathState; readonly tries: number } | undefined;

  constructor(
    path: Path,
    snapshot: NetworkSnapshot,
    options: {
      readonly onDispose: (path: TrackedPath) => void;
      readonly onListenerError?: ((error: unknown) => void) | undefined;
    },
  ) {
    const { onListenerError, onDispose } = options;
    const emitter = new Emitter<PathEvent>({ onListenerError });
    super(emitter);
    this.path = path;
    this.lookup = lookupOf(path)?.key;
    this.#emitter = emitter;
    this.#onDispose = onDispose;
    this.#state = evaluatePath(path, snapshot);
  }

  get state(): PathState {
    return this.#state;
  }

  /**
   * Takes a reading; `true` when another one is needed first. The kernel is
   * asked for addresses and for ways one after the other, and what happens in
   * between looks like a way that is lost, or another one: a change of an
   * address that is there is told when two readings agree on it.
   */
  update(snapshot: NetworkSnapshot, lookups: Lookups | undefined): boolean {
    const { path, lookup } = this;
    const before = this.#state;
    const asked = lookup !== undefined && (lookups?.has(lookup) ?? false);
    // Without an answer this time, the one of last time stands.
    const kept = this.#exact && before.status === "ok";
    const rough = evaluatePath(path, snapshot);
    const after = asked
      ? withRoute(rough, lookups!.get(lookup))
      : kept
      ? withRoute(rough, before.via)
      : rough;
    // What is merely known better now is no change.
    const event = diffPath(path, before, asked && !this.#exact ? rough : after);
    if (asked && event !== undefined && this.#isDoubtful(after)) return true;
    this.#doubt = undefined;
    this.#exact = asked || kept;
    this.#state = after;
    if (event !== undefined) this.#emitter.emit({ ...event, after });
    return false;
  }

  /** Whether it must be seen once more; of three that differ the last counts. */
  #isDoubtful(after: PathState): boolean {
    if (after.status === "lost") return false;
    const { state, tries } = this.#doubt ?? { state: undefined, tries: 0 };
    if (state !== undefined && isSame(state, after) || tries >= TRIES_MAX) {
      return false;
    }
    this.#doubt = { state: after, tries: tries + 1 };
    return true;
  }

  [Symbol.dispose](): void {
    this.#emitter[Symbol.dispose]();
    this.#onDispose(this);
  }
}

function withRoute(
  { via: _, ...state }: PathState,
  via: PathState["via"],
): PathState {
  return state.status === "lost" || via === undefined
    ? state
    : { ...state, via };
}

function isSame(a: PathState, b: PathState): boolean {
  return a.status === b.status && a.interface === b.interface &&
    a.via?.interface === b.via?.interface && a.via?.gateway === b.via?.gateway;
}
