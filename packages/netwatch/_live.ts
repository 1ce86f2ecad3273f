/** Draws `watch` on a terminal, again and again in the same place. */
import {
  concerns,
  type LogEntry,
  renderScreen,
  type Screen,
} from "./_screen.ts";
import type { NetworkWatch } from "./watch.ts";

const FRESH_MS = 3_000;
const LOG_MAX = 200;
const CLEAR_BELOW = "\u001b[J";

/** A screen that follows a watch. */
export class LiveScreen implements Disposable {
  readonly #watch: NetworkWatch;
  readonly #write: (text: string) => void;
  readonly #log: LogEntry[] = [];
  readonly #fresh = new Map<string, number>();
  readonly #subscription: Disposable;
  readonly #timer: ReturnType<typeof setInterval>;
  #lines = 0;

  constructor(watch: NetworkWatch, write: (text: string) => void) {
    this.#watch = watch;
    this.#write = write;
    this.#subscription = watch.on("*", (event) => {
      const at = new Date().toISOString().slice(11, 23);
      const { latencyMs } = watch.stats();
      this.#log.push({ at, event, latencyMs });
      if (this.#log.length > LOG_MAX) this.#log.shift();
      for (const name of concerns(event)) {
        this.#fresh.set(name, performance.now());
      }
      // Once for all events of one moment.
      queueMicrotask(() => this.#draw());
    });
    // Highlights fade, and the terminal may have another size.
    this.#timer = setInterval(() => this.#draw(), 1_000);
    this.#draw();
  }

  #draw(): void {
    const lines = renderScreen(this.#screen());
    const back = this.#lines === 0 ? "" : `\u001b[${this.#lines}F`;
    this.#lines = lines.length;
    this.#write(`${back}${CLEAR_BELOW}${lines.join("\n")}\n`);
  }

  #screen(): Screen {
    const now = performance.now();
    for (const [name, at] of this.#fresh) {
      if (now - at > FRESH_MS) this.#fresh.delete(name);
    }
    const { columns, rows } = Deno.consoleSize();
    return {
      snapshot: this.#watch.state,
      log: this.#log,
      fresh: new Set(this.#fresh.keys()),
      notes: this.#watch.stats().degraded,
      // Without a terminal behind it there is no size, as in some tests.
      columns: columns || 80,
      rows: rows || 24,
      colours: !Deno.noColor,
    };
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    clearInterval(this.#timer);
  }
}
