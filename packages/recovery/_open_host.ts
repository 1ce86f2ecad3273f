/**
 * Opens one connection to a host: looks its name up, races its addresses, and
 * takes the first that is proved. The shell of `_eyeballs.ts`.
 */
import { isIP } from "node:net";
import { closeQuietly } from "./_connectors.ts";
import {
  type Eyeballs,
  type EyeballsAction,
  type EyeballsInput,
  type Family,
  startEyeballs,
  stepEyeballs,
} from "./_eyeballs.ts";
import type { Closable } from "./dial_options.ts";
import type { FamilyMemory } from "./family_memory.ts";

/** What it needs of the outside. */
export interface OpenHost<C extends Closable> {
  /** The addresses of each family; an address stands for itself. */
  readonly lookUps: Readonly<Partial<Record<Family, Promise<string[]>>>>;
  /** Opens one socket, says when it is answered, and makes the rest of it. */
  readonly open: (
    address: string,
    signal: AbortSignal,
    answered: () => void,
  ) => Promise<C>;
  readonly memory: FamilyMemory;
  readonly staggerMs: number;
  readonly hedgeMs: number;
}

const HEDGES_MAX = 8;
const SOCKETS_MAX = 12;
const RESOLUTION_DELAY_MS = 50;

/** Runs the race; errors of all addresses come together. */
export async function openHost<C extends Closable>(
  host: OpenHost<C>,
  signal: AbortSignal,
): Promise<C> {
  const race = new HostRace(host);
  const abort = (): void => race.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    if (signal.aborted) abort();
    race.begin();
    return await race.result;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

interface Attempt {
  readonly address: string;
  readonly family: Family;
  readonly at: number;
  readonly controller: AbortController;
}

class HostRace<C extends Closable> {
  readonly #host: OpenHost<C>;
  readonly #settled: PromiseWithResolvers<C> = Promise.withResolvers();
  readonly #attempts: Map<number, Attempt> = new Map();
  readonly #errors: unknown[] = [];
  readonly #lookUpErrors: unknown[] = [];
  readonly #beganAt: number = performance.now();
  #state: Eyeballs;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sixAt: number | undefined;
  #sixAnswered = false;
  #over = false;

  constructor(host: OpenHost<C>) {
    this.#host = host;
    const { memory, staggerMs } = host;
    const families = Object.keys(host.lookUps) as Family[];
    // Two round trips, where they are known: no second socket for a far host.
    const took = Math.max(0, ...families.map((f) => memory.connectMs(f) ?? 0));
    this.#state = startEyeballs(
      {
        ...{ first: memory.first(this.#beganAt), staggerMs },
        ...{ hedgesMax: host.hedgeMs === Infinity ? 0 : HEDGES_MAX },
        hedgeMs: Math.max(host.hedgeMs, 2 * took),
        ...{ resolutionDelayMs: RESOLUTION_DELAY_MS, socketsMax: SOCKETS_MAX },
      },
      families,
      this.#beganAt,
    );
  }

  get result(): Promise<C> {
    return this.#settled.promise;
  }

  begin(): void {
    for (const [family, lookUp] of Object.entries(this.#host.lookUps)) {
      const found = (addresses: readonly string[]): void =>
        this.#feed({ type: "found", family: family as Family, addresses });
      lookUp!.then(found, (error) => {
        this.#lookUpErrors.push(error);
        found([]);
      });
    }
  }

  abort(reason: unknown): void {
    this.#end(() => this.#settled.reject(reason));
  }

  #feed(input: EyeballsInput, connection?: C): void {
    if (this.#over) return;
    const { state, actions, wakeAt } = stepEyeballs(
      ...[this.#state, input, performance.now()] as const,
    );
    this.#state = state;
    clearTimeout(this.#timer);
    if (state.outcome === "won") {
      this.#remember((input as { attempt: number }).attempt);
      this.#attempts.delete((input as { attempt: number }).attempt);
      return this.#end(() => this.#settled.resolve(connection!));
    }
    if (state.outcome === "lost") {
      return this.#end(() => this.#settled.reject(this.#failure()));
    }
    if (wakeAt !== undefined) {
      const ms = Math.max(0, Math.ceil(wakeAt - performance.now()));
      this.#timer = setTimeout(() => this.#feed({ type: "wake" }), ms);
    }
    for (const action of actions) {
      if (action.type === "open") void this.#open(action);
    }
  }

  async #open(
    { attempt: id, address, family }: EyeballsAction & { type: "open" },
  ): Promise<void> {
    const controller = new AbortController();
    const at = performance.now();
    this.#attempts.set(id, { address, family, at, controller });
    if (family === "v6") this.#sixAt ??= at;
    const answered = (): void => {
      if (family === "v6") this.#sixAnswered = true;
      this.#feed({ type: "answered", attempt: id });
    };
    try {
      const { signal } = controller;
      const connection = await this.#host.open(address, signal, answered);
      if (!this.#attempts.has(id)) return void closeQuietly(connection);
      this.#feed({ type: "done", attempt: id }, connection);
    } catch (error) {
      if (!this.#attempts.delete(id)) return;
      this.#errors.push(error);
      // Refused is answered, too: that family is not broken.
      if (family === "v6") this.#sixAnswered = true;
      this.#feed({ type: "failed", attempt: id });
    }
  }

  #remember(id: number): void {
    const now = performance.now();
    const { address, family, at } = this.#attempts.get(id)!;
    // The system looks a name up by itself, and does not say what it took.
    if (isIP(address) === 0) return;
    const silent = family === "v4" && this.#sixAt !== undefined &&
      !this.#sixAnswered && this.#sixAt <= at;
    this.#host.memory.take(
      { won: family, ms: now - at, sixWasSilent: silent },
      now,
    );
  }

  #failure(): unknown {
    // That a family has no addresses is no fault where the other one has.
    const errors = this.#errors.length > 0 ? this.#errors : this.#lookUpErrors;
    if (errors.length === 1) return errors[0];
    const messages = errors.map((error) =>
      error instanceof Error ? error.message : String(error)
    );
    return new AggregateError(errors, [...new Set(messages)].join("; "));
  }

  #end(settle: () => void): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    settle();
    const reason = new DOMException("The race is over", "AbortError");
    for (const { controller } of this.#attempts.values()) {
      controller.abort(reason);
    }
    this.#attempts.clear();
  }
}
