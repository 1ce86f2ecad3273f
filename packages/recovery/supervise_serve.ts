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

/** What `Deno.serve` takes wherever it listens. */
export interface SuperviseAnyServeOptions<A extends Deno.Addr> {
  /** Answers when the handler throws; by default with status 500. */
  readonly onError?:
    | ((error: unknown) => Response | Promise<Response>)
    | undefined;
  /** Called once, when it listens for the first time. */
  readonly onListen?: ((addr: A) => void) | undefined;
  /**
   * Whether bodies are compressed for clients that take it.
   *
   * @default {false}
   */
  readonly automaticCompression?: boolean | undefined;
  /** Shuts the server down when aborted: requests under way are answered. */
  readonly signal?: AbortSignal | undefined;
}

/** Where to listen. */
export interface SuperviseServeOptions
  extends SuperviseAnyServeOptions<Deno.NetAddr> {
  /**
   * The address.
   *
   * @default {"127.0.0.1"}
   */
  readonly hostname?: string | undefined;
  /** The port; 0 for any, which then stays the same. */
  readonly port: number;
  /** The certificate and those up to its authority, as PEM: HTTPS and HTTP/2. */
  readonly cert?: string | undefined;
  /** The key of the certificate, as PEM. */
  readonly key?: string | undefined;
  /** How many connections may wait to be accepted. */
  readonly tcpBacklog?: number | undefined;
}

/** Where to listen: a socket in the file system. */
export interface SuperviseServeUnixOptions
  extends SuperviseAnyServeOptions<Deno.UnixAddr> {
  /** Its path; nothing may be there yet. */
  readonly path: string;
}

/** A `Deno.serve` that comes back. */
export interface SupervisedServer<A extends Deno.Addr = Deno.NetAddr>
  extends Events<ServeEvent>, AsyncDisposable {
  /** Where it listens. */
  readonly addr: A;
  /** Resolves when it was shut down, and never rejects. */
  readonly finished: Promise<void>;
  /** Takes no more connections, and resolves when all requests are answered. */
  shutdown(): Promise<void>;
}

/**
 * Serves HTTP as `Deno.serve` does, by TCP, TLS or a Unix socket, and again at
 * the same place whenever that ends by itself: one accept that fails for want of
 * a descriptor closes its listener for good (Deno 2.9.6). It is tried again after
 * 5 ms at first and 40 ms at the most, so that it listens within 50 ms of there
 * being room. Connections that are open go on meanwhile, those of the last 16
 * failures until the server is shut down; those that were queued are reset.
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
  options: SuperviseServeUnixOptions,
  handler: Deno.ServeHandler<Deno.UnixAddr>,
): SupervisedServer<Deno.UnixAddr>;
/** Serves by TCP or TLS, as above. */
export function superviseServe(
  options: SuperviseServeOptions,
  handler: Deno.ServeHandler<Deno.NetAddr>,
): SupervisedServer;
export function superviseServe<A extends Deno.UnixAddr | Deno.NetAddr>(
  options: SuperviseServeOptions | SuperviseServeUnixOptions,
  handler: Deno.ServeHandler<A>,
): SupervisedServer<A> {
  options.signal?.throwIfAborted();
  return new Supervised<A>(
    options as SuperviseAnyServeOptions<A> & Place,
    handler,
  );
}

/** What is given to `Deno.serve`, its callbacks apart. */
type Place =
  | Pick<SuperviseServeOptions, "hostname" | "port" | "cert" | "key">
  | {
    readonly path: string;
  };

/** So many servers that failed are kept until the end, for their connections. */
const FAILED_MAX = 16;

class Supervised<A extends Deno.Addr> extends EventReader<ServeEvent>
  implements SupervisedServer<A> {
  readonly addr: A;
  readonly finished: Promise<void>;
  readonly #options: SuperviseAnyServeOptions<A> & Place;
  readonly #handler: Deno.ServeHandler<A>;
  readonly #emitter: Emitter<ServeEvent>;
  readonly #closing: AbortController = new AbortController();
  // Those that ended may still have connections. The oldest is first.
  readonly #servers: Set<Deno.HttpServer<A>> = new Set();
  readonly #answering: Set<Promise<void>> = new Set();
  #inode: number | null = null;

  constructor(
    options: SuperviseAnyServeOptions<A> & Place,
    handler: Deno.ServeHandler<A>,
  ) {
    const emitter = new Emitter<ServeEvent>();
    super(emitter);
    this.#emitter = emitter;
    this.#options = options;
    this.#handler = handler;
    const { signal, onListen } = options;
    const first = this.#serve();
    this.addr = first.addr;
    onListen?.(first.addr);
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
    // One that failed does not wait for its own.
    await Promise.allSettled(this.#answering);
    await this.finished;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  #serve(): Deno.HttpServer<A> {
    const { signal: _, onListen: _1, ...place } = this.#options;
    const isUnix = "path" in place;
    // Once it listens, its port is known, and its path is taken by itself.
    if (isUnix) removeSocket(place.path, this.#inode);
    const options = {
      ...(isUnix ? {} : { hostname: "127.0.0.1" }),
      ...Object.fromEntries(
        Object.entries(place).filter(([, value]) => value !== undefined),
      ),
      ...(!isUnix && this.addr as Deno.NetAddr | undefined),
      onListen() {},
    };
    // Its overloads do not know which of them is meant.
    const serve = Deno.serve as unknown as (
      options: object,
      handler: Deno.ServeHandler<A>,
    ) => Deno.HttpServer<A>;
    const server = serve(options, (request, info) => {
      const over = info.completed.catch(() => {});
      this.#answering.add(over);
      void over.then(() => this.#answering.delete(over));
      return this.#handler(request, info);
    });
    if (isUnix) this.#inode = inodeOf(place.path);
    this.#servers.add(server);
    return server;
  }

  async #run(first: Deno.HttpServer<A>): Promise<void> {
    const { signal } = this.#closing;
    let server: Deno.HttpServer<A> | undefined = first;
    let failures = 0;
    let downAt = 0;
    while (!signal.aborted) {
      try {
        if (server === undefined) {
          server = this.#serve();
          this.#emitter.emit({
            ...{ type: "serve-resumed", reason: "listening", failures },
            downMs: performance.now() - downAt,
          });
        }
        await server.finished;
        break; // Without an error: it was shut down.
      } catch (error) {
        if (signal.aborted) break;
        if (server !== undefined) {
          const [oldest] = this.#servers;
          if (this.#servers.size > FAILED_MAX) {
            this.#servers.delete(oldest!);
            void oldest!.shutdown().catch(() => {});
          }
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

/** Which file it is; `null` where that cannot be told. */
function inodeOf(path: string): number | null {
  try {
    return Deno.lstatSync(path).ino;
  } catch {
    return null;
  }
}

/** Removes the socket that a listener has left: nothing can listen there else. */
function removeSocket(path: string, inode: number | null): void {
  // What somebody else has put there meanwhile stays.
  if (inode === null || inodeOf(path) !== inode) return;
  try {
    Deno.removeSync(path);
  } catch {
    // Listening will say it.
  }
}
