import type { Events } from "@holdfast/events";
import { Emitter, EventReader } from "@holdfast/events/emitter";
import {
  type Answer,
  askKernel,
  mayAskKernel,
  type Pair,
} from "./_kernel_words.ts";
import {
  type LivenessState,
  openLiveness,
  stepLiveness,
} from "./_liveness_rules.ts";
import { checkNumber } from "./_options.ts";
import type { NetworkSource } from "./paused_while.ts";

/** What a watch of a connection says; plain JSON. */
export interface LivenessEvent {
  /** Nothing gets through any more; said once. */
  readonly type: "path-dead";
  /** What was sent is not acknowledged, or a heartbeat was not answered. */
  readonly reason: "unacknowledged" | "heartbeat-missed";
}

/** Options for {@linkcode watchLiveness}. */
export interface WatchLivenessOptions {
  /**
   * How long data or a heartbeat may wait in vain, in milliseconds. The kernel's
   * second time-out in a row ends it sooner.
   *
   * @default {1_500}
   */
  readonly deadlineMs?: number | undefined;
  /**
   * How often to look, in milliseconds.
   *
   * @default {250}
   */
  readonly lookMs?: number | undefined;
  /**
   * Asks the other end for a sign of life, by the protocol of the program; it
   * resolves when that came. Without it an idle connection is not judged.
   */
  readonly heartbeat?: ((signal: AbortSignal) => Promise<unknown>) | undefined;
  /**
   * How often to do that, in milliseconds.
   *
   * @default {15_000}
   */
  readonly heartbeatMs?: number | undefined;
  /** News of the network: a heartbeat goes at once. */
  readonly network?: NetworkSource | undefined;
}

/**
 * A watch of one connection. It ends when it is disposed, has said that the path
 * is dead, or the kernel no longer knows the connection.
 */
export interface Liveness
  extends Events<LivenessEvent>, Disposable, AsyncDisposable {
  /**
   * What it goes by: the kernel's word, heartbeats, or both; nothing where there
   * is neither. The kernel's drops out when there turns out to be no `ss`.
   */
  readonly by: readonly ("kernel" | "heartbeat")[];
}

/**
 * Finds out that the path of a connection is dead: left alone, `read()` waits
 * for a quarter of an hour, and `write()` goes on taking bytes. It changes
 * nothing on the connection: closing it is the caller's.
 *
 * On Linux, with `--allow-run=ss`, the kernel is asked whether what was sent is
 * acknowledged, so that with data under way a dead path is found in about a
 * second. A peer that is merely slow or frozen is not: its kernel acknowledges.
 * An idle connection is judged by the program's own heartbeat. A program that
 * stood still or slept judges nobody by the time that it missed.
 *
 * ```ts
 * import { watchLiveness } from "@holdfast/recovery";
 * import { assertEquals } from "@std/assert";
 *
 * using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * using conn = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
 * using liveness = watchLiveness(conn, { heartbeat: () => Promise.resolve() });
 * liveness.on("path-dead", () => conn.close());
 * assertEquals(liveness.by.includes("heartbeat"), true);
 * ```
 *
 * @throws {RangeError} When a number is out of bounds.
 */
export function watchLiveness(
  conn: Pick<Deno.Conn, "localAddr" | "remoteAddr">,
  options: WatchLivenessOptions = {},
): Liveness {
  const { deadlineMs = 1_500, lookMs = 250, heartbeatMs = 15_000 } = options;
  for (
    const [name, value] of Object.entries({ deadlineMs, lookMs, heartbeatMs })
  ) checkNumber("watch a connection", name, value, 1, 2 ** 31 - 1);
  return new Watch(conn, { ...options, deadlineMs, lookMs, heartbeatMs });
}

type Settled = WatchLivenessOptions & {
  readonly deadlineMs: number;
  readonly lookMs: number;
  readonly heartbeatMs: number;
};

class Watch extends EventReader<LivenessEvent> implements Liveness {
  readonly #options: Settled;
  readonly #pair: Pair | undefined;
  readonly #emitter: Emitter<LivenessEvent>;
  readonly #ending: AbortController = new AbortController();
  readonly #news: Disposable | undefined;
  #state: LivenessState = openLiveness(performance.now());
  #beating = false;
  #beatAt: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking: Promise<void> | undefined;
  /** How often in a row the kernel did not know it, once it had. */
  #gone: number | undefined;

  constructor(
    conn: Pick<Deno.Conn, "localAddr" | "remoteAddr">,
    options: Settled,
  ) {
    const emitter = new Emitter<LivenessEvent>();
    super(emitter);
    this.#emitter = emitter;
    this.#options = options;
    this.#pair = pairOf(conn);
    this.#beatAt = performance.now() + options.heartbeatMs;
    this.#news = options.network?.on("*", () => {
      this.#beatAt = performance.now();
      this.#soon(0);
    });
    this.#soon(options.lookMs);
  }

  get by(): readonly ("kernel" | "heartbeat")[] {
    return [
      ...(this.#pair && mayAskKernel() ? ["kernel" as const] : []),
      ...(this.#options.heartbeat ? ["heartbeat" as const] : []),
    ];
  }

  [Symbol.dispose](): void {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort(new DOMException("The watch has ended", "AbortError"));
    clearTimeout(this.#timer);
    this.#news?.[Symbol.dispose]();
    this.#emitter[Symbol.dispose]();
  }

  /** As disposing, and waits for the question that is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]();
    await this.#looking;
  }

  #soon(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#ending.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#look();
    }, ms);
  }

  async #look(): Promise<void> {
    const { signal } = this.#ending;
    if (performance.now() >= this.#beatAt) this.#beat();
    const answer = this.#pair && mayAskKernel()
      ? await askKernel(this.#pair)
      : undefined;
    if (signal.aborted) return;
    if (this.#isGone(answer)) return this[Symbol.dispose]();
    const kernel = answer === "gone" ? undefined : answer;
    const [state, dead] = stepLiveness(
      this.#state,
      { kernel, beating: this.#beating },
      performance.now(),
      this.#options,
    );
    this.#state = state;
    if (dead === undefined) return this.#soon(this.#options.lookMs);
    this.#emitter.emit({ type: "path-dead", reason: dead });
    this[Symbol.dispose]();
  }

  /** Twice in a row, once it was known: the program has closed it. */
  #isGone(answer: Answer): boolean {
    if (answer !== "gone") {
      if (answer !== undefined) this.#gone = 0;
      return false;
    }
    return this.#gone !== undefined && ++this.#gone >= 2;
  }

  #beat(): void {
    const { heartbeat, heartbeatMs } = this.#options;
    this.#beatAt = performance.now() + heartbeatMs;
    if (heartbeat === undefined || this.#beating) return;
    this.#beating = true;
    const done = (): void => void (this.#beating = false);
    // Its failure is no word on the path: the connection itself will say it.
    Promise.try(heartbeat, this.#ending.signal).then(done, done);
  }
}

/** How `ss` writes the two ends; `undefined` where it is no TCP. */
function pairOf(
  { localAddr, remoteAddr }: Pick<Deno.Conn, "localAddr" | "remoteAddr">,
): Pair | undefined {
  const text = (addr: Deno.Addr): string | undefined => {
    if (!("hostname" in addr) || addr.transport !== "tcp") return undefined;
    const { hostname, port } = addr;
    return hostname.includes(":")
      ? `[${hostname}]:${port}`
      : `${hostname}:${port}`;
  };
  const [from, to] = [text(localAddr), text(remoteAddr)];
  if (from === undefined || to === undefined) return undefined;
  return { from, to };
}
