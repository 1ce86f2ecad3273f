import { Emitter } from "@holdfast/events/emitter";
import { closeQuietly } from "./_connectors.ts";
import {
  type RaceAction,
  type RaceInput,
  type RaceState,
  startRace,
  stepRace,
} from "./_race.ts";
import { backoff } from "./backoff.ts";
import { classify } from "./classify.ts";
import type {
  AttemptEvent,
  Closable,
  Connector,
  DialOptions,
  DialTarget,
} from "./dial_options.ts";
import { RecoveryError } from "./errors.ts";

interface Limits {
  readonly deadlineMs: number;
  readonly attemptMs: number;
  readonly staggerMs: number;
}

/** An attempt under way. */
interface Attempt {
  readonly candidate: number;
  readonly number: number;
  readonly controller: AbortController;
}

/** The shell of one dial: its timer, its attempts and their connections. */
export class Dialling<T extends DialTarget, C extends Closable> {
  readonly #targets: readonly T[];
  readonly #connect: Connector<T, C>;
  readonly #limits: Limits;
  readonly #options: DialOptions;
  readonly #waitMs: (attempt: number) => number;
  readonly #emitter: Emitter<AttemptEvent> = new Emitter();
  readonly #attempts: Map<number, Attempt> = new Map();
  readonly #result: PromiseWithResolvers<C> = Promise.withResolvers();
  readonly #errors: Map<number, unknown> = new Map();
  #lastError: unknown;
  #race: RaceState;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #over = false;

  constructor(
    targets: readonly T[],
    connect: Connector<T, C>,
    limits: Limits,
    options: DialOptions,
  ) {
    this.#targets = targets;
    this.#connect = connect;
    this.#limits = limits;
    this.#options = options;
    this.#waitMs = backoff(options);
    const now = performance.now();
    this.#race = startRace({
      candidates: targets.length,
      staggerMs: limits.staggerMs,
      attemptMs: limits.attemptMs,
      deadlineAt: now + limits.deadlineMs,
    }, now);
  }

  async run(): Promise<C> {
    const { signal, onAttempt } = this.#options;
    if (onAttempt) this.#emitter.on("*", onAttempt);
    const abort = () => this.#end(() => this.#result.reject(signal?.reason));
    signal?.addEventListener("abort", abort, { once: true });
    try {
      this.#feed({ type: "wake" });
      return await this.#result.promise;
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#emitter[Symbol.dispose]();
    }
  }

  /** Gives the core one input and does what it asks. */
  #feed(input: RaceInput, connection?: C): void {
    if (this.#over) return;
    const { state, actions, wakeAt } = stepRace(
      this.#race,
      input,
      performance.now(),
    );
    this.#race = state;
    clearTimeout(this.#timer);
    if (wakeAt !== undefined) this.#wakeAt(wakeAt);
    for (const action of actions) this.#act(action);
    if (state.outcome.type === "opened") {
      this.#end(() => this.#result.resolve(connection!));
    } else if (state.outcome.type !== "running") {
      const error = this.#failure(state.outcome.type);
      this.#end(() => this.#result.reject(error));
    }
  }

  #wakeAt(at: number): void {
    // Rounded up: a timer that fires early would be set again and again.
    const ms = Math.max(0, Math.ceil(at - performance.now()));
    this.#timer = setTimeout(() => this.#feed({ type: "wake" }), ms);
  }

  #act(action: RaceAction): void {
    // A listener or a connector may have ended the dial since the step.
    if (this.#over) return;
    if (action.type === "connect") {
      void this.#attempt(action);
      return;
    }
    const attempt = this.#attempts.get(action.attempt);
    if (attempt === undefined) return;
    if (action.type === "abandon") return this.#abandon(action.attempt);
    const error = new DOMException(
      `Cannot connect to ${
        this.#name(attempt.candidate)
      }: no answer in ${this.#limits.attemptMs} ms`,
      "TimeoutError",
    );
    this.#fail(action.attempt, error);
    attempt.controller.abort(error);
  }

  async #attempt(
    { attempt: id, candidate, number }: RaceAction & { type: "connect" },
  ): Promise<void> {
    const controller = new AbortController();
    this.#attempts.set(id, { candidate, number, controller });
    const target = this.#name(candidate);
    this.#emitter.emit({ type: "attempt-started", target, number });
    if (!this.#attempts.has(id)) return;
    let connection: C;
    try {
      const { signal } = controller;
      connection = await this.#connect(this.#targets[candidate]!, { signal });
    } catch (error) {
      // A connector may fail before it ever waits, even while the actions of
      // the step that started it are still being done.
      await undefined;
      return this.#fail(id, error);
    }
    if (this.#over || !this.#attempts.delete(id)) {
      return closeQuietly(connection);
    }
    this.#emitter.emit({ type: "attempt-succeeded", target, number });
    // The listener may have aborted the dial.
    if (this.#over) return closeQuietly(connection);
    this.#feed({ type: "opened", attempt: id }, connection);
  }

  /** An attempt has failed, unless it is over already. */
  #fail(id: number, error: unknown): void {
    const attempt = this.#attempts.get(id);
    if (this.#over || attempt === undefined) return;
    this.#attempts.delete(id);
    this.#lastError = error;
    this.#errors.set(attempt.candidate, error);
    const verdict = classify(error);
    const hopeless = verdict.action === "give-up" || verdict.action === "bug";
    let again: boolean;
    try {
      again = this.#options.retry?.(error, verdict) ?? !hopeless;
    } catch (thrown) {
      return this.#end(() => this.#result.reject(thrown));
    }
    const retryInMs = again ? this.#waitMs(attempt.number) : undefined;
    this.#emitter.emit({
      type: "attempt-failed",
      target: this.#name(attempt.candidate),
      number: attempt.number,
      verdict,
      message: error instanceof Error ? error.message : String(error),
      retryInMs,
    });
    this.#feed({ type: "failed", attempt: id, retryInMs });
  }

  #end(settle: () => void): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    settle();
    for (const id of [...this.#attempts.keys()]) this.#abandon(id);
  }

  #abandon(id: number): void {
    const attempt = this.#attempts.get(id);
    this.#attempts.delete(id);
    attempt?.controller.abort(
      new DOMException("The dial is over", "AbortError"),
    );
  }

  #failure(outcome: "given-up" | "timed-out"): Error {
    const names = this.#targets.map((_, i) => this.#name(i)).join(", ");
    const cause = this.#lastError;
    if (outcome === "timed-out") {
      const error = new DOMException(
        `Cannot dial ${names}: no connection in ${this.#limits.deadlineMs} ms`,
        "TimeoutError",
      );
      // A DOMException takes no cause of its own accord.
      Object.defineProperty(error, "cause", {
        value: cause,
        configurable: true,
        writable: true,
      });
      return error;
    }
    const errors = [...this.#errors.values()];
    return new RecoveryError(
      "recovery/gave-up",
      `Cannot dial ${names}: ${classify(cause).why}`,
      {
        cause: errors.length > 1
          ? new AggregateError(errors, "Every target failed")
          : cause,
      },
    );
  }

  #name(candidate: number): string {
    const { hostname, port } = this.#targets[candidate]!;
    return hostname.includes(":")
      ? `[${hostname}]:${port}`
      : `${hostname}:${port}`;
  }
}
