import { backoff } from "@holdfast/recovery/backoff";
import { isClosedError, reasonOf, sendAtOnce } from "./_deno.ts";
import { inRange } from "./_options.ts";
import { tunnelAddressText } from "./_tunnel_address.ts";
import { TunnelConnections } from "./_tunnel_connections.ts";
import { readAnswer, sendRequest } from "./_tunnel_hello.ts";
import { connectResumable } from "./client.ts";
import type { ConnectOptions, Dial } from "./connect_options.ts";
import { ResumeError } from "./errors.ts";
import type { ResumableConn } from "./resumable_conn.ts";
import type { TunnelEvent, TunnelStats } from "./tunnel_events.ts";
import type {
  ConnectTunnelOptions,
  LocalConn,
  LocalSource,
} from "./tunnel_options.ts";
import type { Events } from "@holdfast/events";

// Sessions that are being opened at once.
const OPENING_MAX = 16;
// After an accept that failed for want of something, such as descriptors.
const ACCEPT_PAUSE_MS = 50;

/** The end of a tunnel that programs connect to. */
export interface TunnelClient extends Events<TunnelEvent>, AsyncDisposable {
  /** Where it listens, if its source knows. */
  readonly addr: Deno.Addr | undefined;
  /** A snapshot of the counters. */
  stats(): TunnelStats;
  /** Takes no more connections, and resolves once all of them have ended. */
  drain(): Promise<void>;
  /** Ends every connection, and stops listening. */
  close(): Promise<void>;
}

/**
 * Gives programs a place to connect to, from which each of their connections
 * goes through a session of its own to a target of the server; none of them
 * notices when the way there is cut.
 *
 * ```ts
 * import { connectTunnel, serveTunnel } from "@holdfast/resume/tunnel";
 * import { assertEquals } from "@std/assert";
 *
 * const loopback = { hostname: "127.0.0.1", port: 0 };
 * const target = Deno.listen(loopback); // Any program that serves TCP.
 * const middle = Deno.listen(loopback);
 * await using server = serveTunnel(middle, {
 *   targets: [{ transport: "tcp", hostname: "127.0.0.1", port: target.addr.port }],
 * });
 *
 * const entry = Deno.listen(loopback);
 * const { hostname, port } = middle.addr;
 * await using client = connectTunnel(entry, () => Deno.connect({ hostname, port }));
 *
 * const program = await Deno.connect({ hostname, port: entry.addr.port });
 * await program.write(new TextEncoder().encode("hello"));
 * const reached = await target.accept();
 * const into = new Uint8Array(16);
 * assertEquals(await reached.read(into), 5);
 * assertEquals(client.stats().open, 1);
 * assertEquals(server.stats().open, 1);
 * reached.close();
 * program.close();
 * target.close();
 * ```
 *
 * @throws {RangeError} For an option out of range.
 */
export function connectTunnel(
  source: LocalSource,
  dial: Dial,
  options: ConnectTunnelOptions = {},
): TunnelClient {
  return new Client(source, dial, options);
}

/** Errors of an open that may be over soon. */
const PASSING: ReadonlySet<string> = new Set([
  "resume/busy",
  "resume/handshake",
]);

function unreachable(error: unknown): ResumeError {
  if (error instanceof ResumeError) return error;
  const why = reasonOf(error);
  return new ResumeError(
    "resume/handshake",
    `Cannot reach the server of the tunnel: ${why}`,
    { cause: error },
  );
}

class Client extends TunnelConnections implements TunnelClient {
  readonly #source: LocalSource;
  readonly #dial: Dial;
  readonly #target: string;
  readonly #options: ConnectOptions;
  readonly #openDeadlineMs: number;
  readonly #stopped = new AbortController();
  readonly #running: Promise<void>;
  readonly #queue: (() => void)[] = [];
  #opening = 0;
  #listening = true;
  #closed: Promise<void> | undefined;

  constructor(source: LocalSource, dial: Dial, options: ConnectTunnelOptions) {
    super(options.connect?.onListenerError);
    this.#source = source;
    this.#dial = dial;
    this.#target = options.target === undefined
      ? ""
      : tunnelAddressText(options.target);
    const { signal } = this.#stopped;
    const { connect = {}, openDeadlineMs = 10_000 } = options;
    this.#openDeadlineMs = inRange(
      "openDeadlineMs",
      openDeadlineMs,
      0,
      2 ** 31 - 1,
    );
    this.#options = {
      ...connect,
      signal: connect.signal === undefined
        ? signal
        : AbortSignal.any([signal, connect.signal]),
    };
    this.#running = this.#run();
  }

  get addr(): Deno.Addr | undefined {
    return this.#source.addr;
  }

  async #run(): Promise<void> {
    while (this.#listening) {
      try {
        const local = await this.#source.accept();
        if (!this.#listening) return local.close();
        this.#take(local);
      } catch (error) {
        if (!this.#listening || isClosedError(error)) return;
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  #take(local: LocalConn): void {
    sendAtOnce(local);
    (local as Partial<Deno.TcpConn>).setKeepAlive?.(true);
    this.start(async (opened) => {
      const session = await this.#openSession();
      opened(session);
      await sendRequest(session, this.#target);
      // What the program says is under way meanwhile.
      const ready = readAnswer(session);
      ready.catch(() => {});
      const target = this.#target;
      return { local, target, from: local.remoteAddr, ready };
    }, local);
  }

  // A few at a time: a server turns away who comes with too many at once, and
  // where the way is cut often none of many would get through.
  async #openSession(): Promise<ResumableConn> {
    while (this.#opening >= OPENING_MAX) {
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    }
    this.#opening++;
    try {
      return await this.#openInTime();
    } finally {
      this.#opening--;
      this.#queue.shift()?.();
    }
  }

  // Programs connect while the way is cut, too: they wait, as others do.
  async #openInTime(): Promise<ResumableConn> {
    const { signal } = this.#options;
    const until = performance.now() + this.#openDeadlineMs;
    const delay = backoff({ firstMs: 50, maxMs: 1_000 });
    for (let attempt = 0;; attempt++) {
      try {
        return await connectResumable(this.#dial, this.#options);
      } catch (error) {
        signal!.throwIfAborted();
        const pauseMs = delay(attempt);
        const final = error instanceof ResumeError &&
          !PASSING.has(error.code);
        if (final) throw error;
        if (performance.now() + pauseMs > until) throw unreachable(error);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  #stopListening(): void {
    if (!this.#listening) return;
    this.#listening = false;
    this.#source.close();
  }

  async drain(): Promise<void> {
    this.#stopListening();
    await this.#running;
    await this.settled();
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#stopListening();
    this.#stopped.abort(
      new DOMException("The tunnel is closed", "AbortError"),
    );
    await this.#running;
    await this.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
