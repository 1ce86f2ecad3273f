import { Emitter, EventReader } from "@holdfast/events/emitter";
import {
  diffPath,
  evaluatePath,
  type Path,
  type PathEvent,
  type PathHandle,
  type PathState,
} from "./path.ts";
import type { NetworkSnapshot } from "./snapshot.ts";

/** One tracked path; its watch feeds it snapshots. */
export class TrackedPath extends EventReader<PathEvent> implements PathHandle {
  readonly path: Path;
  readonly #emitter: Emitter<PathEvent>;
  readonly #onDispose: (path: TrackedPath) => void;
  #state: PathState;

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
    this.#emitter = emitter;
    this.#onDispose = onDispose;
    this.#state = evaluatePath(path, snapshot);
  }

  get state(): PathState {
    return this.#state;
  }

  update(snapshot: NetworkSnapshot): void {
    const before = this.#state;
    this.#state = evaluatePath(this.path, snapshot);
    const event = diffPath(this.path, before, this.#state);
    if (event !== undefined) this.#emitter.emit(event);
  }

  [Symbol.dispose](): void {
    this.#emitter[Symbol.dispose]();
    this.#onDispose(this);
  }
}
