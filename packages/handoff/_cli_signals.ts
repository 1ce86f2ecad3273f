/** What the command line does with signals. */
import type { SpawnedProcess } from "./spawned.ts";

const ENDING = ["SIGINT", "SIGTERM"] as const;

/** Ends what runs when this process is told to end. */
export class Stopper implements Disposable {
  readonly #take: () => void;

  constructor(stop: AbortController) {
    this.#take = () => stop.abort();
    for (const name of ENDING) Deno.addSignalListener(name, this.#take);
  }

  [Symbol.dispose](): void {
    for (const name of ENDING) Deno.removeSignalListener(name, this.#take);
  }
}

/** Takes the signals that are meant for the program. */
export class Signals implements Disposable {
  readonly #stack = new DisposableStack();
  readonly #early: Deno.Signal[] = [];
  #child: SpawnedProcess | undefined;

  constructor() {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      const take = (): void => this.#take(signal);
      Deno.addSignalListener(signal, take);
      this.#stack.defer(() => Deno.removeSignalListener(signal, take));
    }
  }

  /** Passes them on, also those that came before. */
  sendTo(child: SpawnedProcess): void {
    this.#child = child;
    for (const signal of this.#early.splice(0)) child.kill(signal);
  }

  #take(signal: Deno.Signal): void {
    // A terminal sends Ctrl-C to both processes by itself.
    if (signal === "SIGINT" && Deno.stdin.isTerminal()) return;
    if (this.#child === undefined) this.#early.push(signal);
    else this.#child.kill(signal);
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}
