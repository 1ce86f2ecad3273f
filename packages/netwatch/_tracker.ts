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

  update(snapshot: NetworkSnapshot, lookups: Lookups | undefined): void {
    const { path, lookup } = this;
    const before = this.#state;
    const asked = lookup !== undefined && (lookups?.has(lookup) ?? false);
    const rough = evaluatePath(path, snapshot);
    // Without an answer this time, the one of last time stands.
    const kept = this.#exact && before.status === "ok";
    const after = asked
      ? withRoute(rough, lookups!.get(lookup))
      : kept
      ? withRoute(rough, before.via)
      : rough;
    // What is merely known better now is no change.
    const event = diffPath(path, before, asked && !this.#exact ? rough : after);
    this.#exact = asked || kept;
    this.#state = after;
    if (event !== undefined) this.#emitter.emit({ ...event, after });
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
