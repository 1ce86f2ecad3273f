/**
 * One race for a transport: passes over what is known, each time that more is
 * known, and the connection by which the other peer calls.
 */
import type { Transport } from "@holdfast/resume";
import { placeText } from "./_candidates.ts";
import { closeQuietly } from "./_crossroads.ts";
import type { Candidate } from "./_meeting.ts";

/**
 * What may change during a race: packets may leave by another way now, there
 * are other candidates, or a connection came.
 */
export type RaceNews = "changed" | "moved" | "offered";

/** What a race needs of its route. */
export interface RaceContext {
  /** Ends it. */
  readonly signal: AbortSignal;
  /** The candidates that are known now, the best first. */
  targets(): readonly Candidate[];
  /** Tries them; it need not succeed. */
  pass(
    targets: readonly Candidate[],
    signal: AbortSignal,
  ): Promise<Transport>;
  /** The connection that came, if one did. */
  taken(): Transport | undefined;
  /** How long to wait for one when all have failed, in milliseconds. */
  readonly lateMs: number;
  /** After so many milliseconds it is slow. */
  readonly slowMs: number;
  slow(): void;
}

const PASSES_MAX = 4;

/** See the module's comment. */
export class Race {
  /** The first transport; the others are closed. */
  readonly won: Promise<Transport>;
  readonly #context: RaceContext;
  readonly #settle = Promise.withResolvers<Transport>();
  readonly #passes = new Set<AbortController>();
  readonly #tried = new Set<string>();
  readonly #slow: ReturnType<typeof setTimeout>;
  readonly #listen: (heard: ((news: RaceNews) => void) | undefined) => void;
  #late: ReturnType<typeof setTimeout> | undefined;
  #failure: unknown;
  #over = false;
  #again = false;

  /** `listen` is given who wants the news, and `undefined` in the end. */
  constructor(
    context: RaceContext,
    listen: (heard: ((news: RaceNews) => void) | undefined) => void,
  ) {
    this.#context = context;
    this.#listen = listen;
    this.won = this.#settle.promise;
    this.#slow = setTimeout(() => context.slow(), context.slowMs);
    listen((news) => this.#hear(news));
    context.signal.addEventListener("abort", this.#onAbort, { once: true });
    if (context.signal.aborted) this.#onAbort();
    else this.#pass();
  }

  readonly #onAbort = (): void => this.#fail(this.#context.signal.reason);

  #hear(news: RaceNews): void {
    if (news === "offered") {
      const transport = this.#context.taken();
      if (transport === undefined) return;
      if (this.#over) closeQuietly(transport);
      else this.#win(transport);
    } else if (news === "moved") this.#pass();
    else if (!this.#again) {
      // Changes come many at once.
      this.#again = true;
      queueMicrotask(() => {
        this.#again = false;
        this.#tried.clear();
        this.#pass();
      });
    }
  }

  #pass(): void {
    if (this.#over) return;
    const targets = this.#context.targets()
      .filter((target) => !this.#tried.has(placeText(target)));
    if (targets.length === 0 && this.#passes.size > 0) return;
    for (const target of targets) this.#tried.add(placeText(target));
    const ending = new AbortController();
    clearTimeout(this.#late);
    this.#passes.add(ending);
    this.#context.pass(targets, ending.signal).then(
      (transport) => {
        this.#passes.delete(ending);
        if (this.#over) closeQuietly(transport);
        else this.#win(transport);
      },
      (error) => {
        this.#passes.delete(ending);
        if (!ending.signal.aborted) this.#failure = error;
        if (this.#passes.size === 0) this.#allFailed();
      },
    );
    if (this.#passes.size <= PASSES_MAX) return;
    const [oldest] = this.#passes;
    oldest!.abort(new DOMException("There is a newer one", "AbortError"));
  }

  #allFailed(): void {
    if (this.#over) return;
    const fail = (): void => this.#fail(this.#failure);
    if (this.#context.lateMs === 0) fail();
    else this.#late = setTimeout(fail, this.#context.lateMs);
  }

  #win(transport: Transport): void {
    this.#end();
    this.#settle.resolve(transport);
  }

  #fail(reason: unknown): void {
    if (this.#over) return;
    this.#end();
    this.#settle.reject(reason);
  }

  #end(): void {
    this.#over = true;
    clearTimeout(this.#slow);
    clearTimeout(this.#late);
    this.#listen(undefined);
    this.#context.signal.removeEventListener("abort", this.#onAbort);
    const why = new DOMException("Another way was faster", "AbortError");
    for (const pass of this.#passes) pass.abort(why);
  }
}
