import type { Events } from "@holdfast/events";
import { Emitter, EventReader } from "@holdfast/events/emitter";
import { nextPauseMs } from "./_accept_rules.ts";
import { pauseUntil } from "./_pause.ts";
import { classify } from "./classify.ts";
import type { FailureId } from "./failure.ts";

/** What happened to a supervised server; plain JSON. */
export type ServeEvent =
  | {
    /** `Deno.serve` ended by itself; it is started again after a pause. */
    readonly type: "serve-failed";
    /** What is missing, in words. */
    readonly reason: string;
    /** The entry of the catalogue; `undefined` for none. */
    readonly failure: FailureId | undefined;
    /** How long it pauses, in milliseconds. */
    readonly retryInMs: number;
  }
  | {
    /** It listens again. */
    readonly type: "serve-resumed";
    /** Always the same. */
    readonly reason: "listening";
    /** How many starts failed in between. */
    readonly failures: number;
    /** From its end on, in milliseconds. */
    readonly downMs: number;
  };

/** Where to listen. */
export interface SuperviseServeOptions {
  /**
   * The address.
   *
   * @default {"127.0.0.1"}
   */
  readonly hostname?: string | undefined;
  /** The port; 0 for any, which then stays the same. */
  readonly port: number;
  /** Shuts the server down when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** A `Deno.serve` that comes back. */
export interface SupervisedServer extends Events<ServeEvent>, AsyncDisposable {
  /** Where it listens. */
  readonly addr: Deno.NetAddr;
  /** Resolves when it was shut down, and never rejects. */
  readonly finished: Promise<void>;
  /** Takes no more connections, and resolves when all requests are answered. */
  shutdown(): Promise<void>;
}

/**
 * Serves HTTP as `Deno.serve` does, and again on the same port whenever that
 * ends by itself: one accept that fails for want of a descriptor closes its
 * listener for good (Deno 2.9.6). It is tried again after 5 ms at first and 40
 * ms at the most, so that it listens within 50 ms of there being room.
 * Connections that are open go on meanwhile; those that were queued are reset.
 *
 * ```ts
 * import { superviseServe } from "@holdfast/recovery";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = superviseServe({ port: 0 }, () => new Response("hello"));
 * server.on("serve-failed", ({ reason }) => console.warn(reason));
 * const response = await fetch(`http://127.0.0.1:${server.addr.port}/`);
 * assertEquals(await response.text(), "hello");
 * ```
 *
 * @throws What `Deno.serve` throws the first time, such as for a taken port.
 */
export function superviseServe(
  options: SuperviseServeOptions,
  handler: Deno.ServeHandler<Deno.NetAddr>,
): SupervisedServer {
  options.signal?.throwIfAborted();
  return new Supervised(options, handler);
}

class Supervised extends EventReader<ServeEvent> implements SupervisedServer {
  readonly addr: Deno.NetAddr;
  readonly finished: Promise<void>;
  readonly #handler: Deno.ServeHandler<Deno.NetAddr>;
  readonly #emitter: Emitter<ServeEvent>;
  readonly #closing: AbortController = new AbortController();
  // Those that ended may still be answering requests.
  readonly #servers: Set<Deno.HttpServer<Deno.NetAddr>> = new Set();

  constructor(
    { hostname = "127.0.0.1", port, signal }: SuperviseServeOptions,
    handler: Deno.ServeHandler<Deno.NetAddr>,
  ) {
    const emitter = new Emitter<ServeEvent>();
    super(emitter);
    this.#emitter = emitter;
    this.#handler = handler;
    const first = this.#serve(hostname, port);
    this.addr = first.addr;
    this.finished = this.#run(first);
    const onAbort = (): void => void this.shutdown();
    signal?.addEventListener("abort", onAbort, { once: true });
    this.finished.then(() => signal?.removeEventListener("abort", onAbort));
  }

  async shutdown(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(
      [...this.#servers].map((server) => server.shutdown()),
    );
    await this.finished;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  #serve(hostname: string, port: number): Deno.HttpServer<Deno.NetAddr> {
    const server = Deno.serve(
      { hostname, port, onListen() {} },
      this.#handler,
    ) as Deno.HttpServer<Deno.NetAddr>;
    this.#servers.add(server);
    return server;
  }

  async #run(first: Deno.HttpServer<Deno.NetAddr>): Promise<void> {
    const { signal } = this.#closing;
    let server: Deno.HttpServer<Deno.NetAddr> | undefined = first;
    let failures = 0;
    let downAt = 0;
    while (!signal.aborted) {
      try {
        if (server === undefined) {
          const { hostname, port } = this.addr;
          server = this.#serve(hostname, port);
          this.#emitter.emit({
            ...{ type: "serve-resumed", reason: "listening", failures },
            downMs: performance.now() - downAt,
          });
        }
        const from = performance.now();
        await server.finished;
        // It ended without an error: somebody shut it down.
        this.#servers.delete(server);
        if (!signal.aborted && performance.now() > from) break;
      } catch (error) {
        if (signal.aborted) break;
        if (server !== undefined) {
          this.#servers.delete(server);
          failures = 0;
          downAt = performance.now();
        }
        server = undefined;
        await this.#pause(error, ++failures);
      }
    }
    this.#emitter[Symbol.dispose]();
  }

  async #pause(error: unknown, failures: number): Promise<void> {
    const { failure, why } = classify(error);
    const retryInMs = nextPauseMs(failures);
    this.#emitter.emit({
      type: "serve-failed",
      reason: why,
      failure,
      retryInMs,
    });
    await pauseUntil(retryInMs, this.#closing.signal);
  }
}
