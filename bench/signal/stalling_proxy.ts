/** A way to a broker that takes its time, and stands still now and then. */
export interface StallingOptions {
  /** Each way, in milliseconds. */
  readonly delayMs: number;
  /** How long it stands still. */
  readonly stallMs: number;
  /** How often, on average; 0 for never. */
  readonly stallsPerSecond: number;
  readonly random: () => number;
}

/** Forwards to a port of this host; bytes keep their order. */
export class StallingProxy implements Disposable {
  readonly #listener: Deno.TcpListener;
  readonly #conns: Set<Deno.TcpConn> = new Set();
  #stalledUntil = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(port: number, options: StallingOptions) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    void this.#accept(port, options.delayMs);
    if (options.stallsPerSecond > 0) this.#stallLater(options);
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.#listener.addr.port}`;
  }

  #stallLater(options: StallingOptions): void {
    // Exponential pauses: as often in any second as in any other.
    const pauseMs = -Math.log(1 - options.random()) * 1_000 /
      options.stallsPerSecond;
    this.#timer = setTimeout(() => {
      this.#stalledUntil = performance.now() + options.stallMs;
      this.#stallLater(options);
    }, pauseMs);
  }

  async #accept(port: number, delayMs: number): Promise<void> {
    for await (const conn of this.#listener) {
      const target = await Deno.connect({ hostname: "127.0.0.1", port });
      conn.setNoDelay(true);
      target.setNoDelay(true);
      this.#conns.add(conn).add(target);
      this.#pipe(conn, target, delayMs);
      this.#pipe(target, conn, delayMs);
    }
  }

  #pipe(from: Deno.TcpConn, to: Deno.TcpConn, delayMs: number): void {
    let last = Promise.resolve();
    const read = async (): Promise<void> => {
      for (;;) {
        const bytes = new Uint8Array(64 * 1024);
        const count = await from.read(bytes);
        if (count === null) return;
        const at = performance.now() + delayMs;
        last = last.then(() => this.#write(to, bytes.subarray(0, count), at));
        last.catch(() => {});
      }
    };
    read().catch(() => {});
  }

  async #write(
    to: Deno.TcpConn,
    bytes: Uint8Array,
    at: number,
  ): Promise<void> {
    for (;;) {
      const waitMs = Math.max(at, this.#stalledUntil) - performance.now();
      if (waitMs <= 0) break;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
    for (let done = 0; done < bytes.length;) {
      done += await to.write(bytes.subarray(done));
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#listener.close();
    for (const conn of this.#conns) {
      try {
        conn.close();
      } catch {
        // Its other end was first.
      }
    }
  }
}
