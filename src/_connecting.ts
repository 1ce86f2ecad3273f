/** One stream a name: who asks for it while it is under way, or open, gets it. */
import type { ResumableConn } from "@holdfast/resume";

interface Flight {
  readonly conn: Promise<ResumableConn>;
  readonly ending: AbortController;
  waiting: number;
}

/** Opens each stream once at a time. */
export class Connecting {
  readonly #flights = new Map<string, Flight>();

  /** Joins what is under way or open, or begins with `open`. */
  async get(
    key: string,
    signal: AbortSignal | undefined,
    open: (signal: AbortSignal) => Promise<ResumableConn>,
  ): Promise<ResumableConn> {
    signal?.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#begin(key, open);
    flight.waiting++;
    try {
      return await until(flight.conn, signal);
    } catch (error) {
      // The last one who waits takes it along.
      if (flight.waiting === 1 && signal?.aborted) {
        flight.ending.abort(signal.reason);
      }
      throw error;
    } finally {
      flight.waiting--;
    }
  }

  #begin(
    key: string,
    open: (signal: AbortSignal) => Promise<ResumableConn>,
  ): Flight {
    const ending = new AbortController();
    const conn = open(ending.signal);
    const flight: Flight = { conn, ending, waiting: 0 };
    this.#flights.set(key, flight);
    const forget = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    ending.signal.addEventListener("abort", forget, { once: true });
    conn.then((conn) => {
      // From the moment on in which it ends, another one can be opened.
      conn.on("*", ({ type }) => {
        if (type === "closed" || type === "lost") forget();
      });
      void conn.closed.then(forget);
    }, forget);
    return flight;
  }
}

function until<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() =>
      signal.removeEventListener("abort", onAbort)
    );
  });
}
