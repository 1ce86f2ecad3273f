/** What has happened in a run, kept for pages that come later, and told to those that are here. */
import type { Note, Sample } from "./view.ts";

const NOTES_MAX = 200;
/** Two minutes of them. */
const SAMPLES_MAX = 480;
const LISTENERS_MAX = 16;

/** Hears what is new: the name of the kind, and its data. */
export type Listener = (kind: string, data: unknown) => void;

/** See the module's comment. */
export class History {
  readonly notes: Note[] = [];
  readonly samples: Sample[] = [];
  readonly #listeners = new Set<Listener>();
  readonly #began: number;
  readonly #now: () => number;
  #next = 1;

  constructor(now: () => number) {
    this.#now = now;
    this.#began = now();
  }

  /** Milliseconds since the run began. */
  get elapsed(): number {
    return this.#now() - this.#began;
  }

  note(who: Note["who"], kind: Note["kind"], text: string): void {
    const note = { id: this.#next++, at: this.elapsed, who, kind, text };
    this.notes.push(note);
    if (this.notes.length > NOTES_MAX) this.notes.shift();
    this.tell("note", note);
  }

  sample(sample: Sample): void {
    this.samples.push(sample);
    if (this.samples.length > SAMPLES_MAX) this.samples.shift();
  }

  tell(kind: string, data: unknown): void {
    for (const listener of this.#listeners) listener(kind, data);
  }

  /** Listens; `undefined` when too many do already. */
  listen(listener: Listener): Disposable | undefined {
    if (this.#listeners.size >= LISTENERS_MAX) return undefined;
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }
}
