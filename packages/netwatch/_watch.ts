import { Emitter, EventReader } from "@holdfast/events/emitter";
import {
  type CoreConfig,
  type CoreInput,
  type CoreState,
  initial,
} from "./_core_state.ts";
import { step, wakeAt } from "./_core.ts";
import type { ClockReading } from "./_clock.ts";
import { denoRows, fingerprint } from "./_deno_interfaces.ts";
import type { Monitor, MonitorListener } from "./_monitor.ts";
import type { AskedMonitor } from "./_powershell.ts";
import { startFor } from "./_start_monitor.ts";
import { toPath } from "./_path_target.ts";
import { TrackedPath } from "./_tracker.ts";
import type { NetworkEvent } from "./network_event.ts";
import type { PathHandle, PathTarget } from "./path.ts";
import { readAgain } from "./read.ts";
import type { NetworkSnapshot } from "./snapshot.ts";
import type { NetworkWatch, WatchStats } from "./watch.ts";

interface Waiter {
  /** The number of the first reading that is fresh enough. */
  readonly from: number;
  resolve(snapshot: NetworkSnapshot): void;
  reject(error: unknown): void;
}

/** The shell around the core: it owns the timer, the processes, the emitter. */
export class Watch extends EventReader<NetworkEvent> implements NetworkWatch {
  readonly closed: Promise<void>;
  readonly #emitter: Emitter<NetworkEvent>;
  readonly #onListenerError: ((error: unknown) => void) | undefined;
  readonly #aborter = new AbortController();
  readonly #released = Promise.withResolvers<void>();
  readonly #paths = new Set<TrackedPath>();
  readonly #waiters = new Set<Waiter>();
  readonly #counts = {
    reads: 0,
    polls: 0,
    hints: 0,
    overflows: 0,
    monitorStarts: 0,
    changes: 0,
  };
  #core: CoreState;
  #hintedAtMs: number | undefined;
  #latencyMs: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #monitor: Monitor | AskedMonitor | undefined;
  #reading: Promise<void> | undefined;
  #lastRows: string | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    config: CoreConfig,
    onListenerError: ((error: unknown) => void) | undefined,
  ) {
    const emitter = new Emitter<NetworkEvent>({ onListenerError });
    super(emitter);
    this.#emitter = emitter;
    this.#onListenerError = onListenerError;
    this.#core = initial(config);
    this.closed = this.#released.promise;
  }

  /** Reads the first snapshot; closes everything again when that fails. */
  async open(signal: AbortSignal | undefined): Promise<void> {
    const onAbort = () => void this.close();
    signal?.addEventListener("abort", onAbort, { once: true });
    this.closed.then(() => signal?.removeEventListener("abort", onAbort));
    const first = this.#freshRead();
    this.#lastRows = this.#rows();
    this.#apply({ type: "start" });
    try {
      await first;
    } catch (error) {
      await this.close();
      throw signal?.aborted ? signal.reason : error;
    }
  }

  get state(): NetworkSnapshot {
    return this.#core.snapshot!;
  }

  stats(): WatchStats {
    const { monitor, degraded } = this.#core;
    return {
      ...this.#counts,
      latencyMs: this.#latencyMs,
      monitor: monitor.status === "trial" ? "live" : monitor.status,
      degraded: Object.values(degraded).filter((why) => why !== undefined),
    };
  }

  async refresh(
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<NetworkSnapshot> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#closing !== undefined) throw closedError();
    const fresh = this.#freshRead(signal);
    this.#apply({ type: "refresh" });
    return await fresh;
  }

  track(target: PathTarget): PathHandle {
    const path = new TrackedPath(toPath(target), this.state, {
      onDispose: (ended) => this.#paths.delete(ended),
      onListenerError: this.#onListenerError,
    });
    if (this.#closing === undefined) this.#paths.add(path);
    else path[Symbol.dispose]();
    return path;
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    // A first reading may have failed the watch; it must be heard before.
    await Promise.resolve();
    this.#aborter.abort(closedError());
    for (const waiter of [...this.#waiters]) waiter.reject(closedError());
    await Promise.all([this.#monitor?.stop(), this.#reading]);
    for (const path of [...this.#paths]) path[Symbol.dispose]();
    this.#emitter[Symbol.dispose]();
    this.#released.resolve();
  }

  #apply(input: CoreInput): void {
    if (this.#closing !== undefined) return;
    const { state, events, actions } = step(
      this.#core,
      input,
      performance.now(),
    );
    this.#core = state;
    for (const action of actions) {
      if (action === "read") this.#reading = this.#read(this.#core.snapshot);
      else if (action === "read-all") this.#reading = this.#read(undefined);
      else if (action === "poll") this.#poll();
      else if (action === "clock") this.#readClocks();
      else this.#startMonitor();
    }
    this.#arm();
    this.#timeChange(input, events);
    // Last: listeners may call anything, and see the new state.
    for (const event of events) this.#emitter.emit(event);
    const changes = events.filter(({ type }) => !NO_CHANGE.has(type)).length;
    if (changes === 0) return;
    this.#counts.changes += changes;
    for (const path of [...this.#paths]) path.update(this.state);
  }

  #timeChange(input: CoreInput, events: readonly NetworkEvent[]): void {
    if (input.type === "hint") this.#hintedAtMs ??= performance.now();
    if (input.type !== "snapshot") return;
    if (events.some(({ type }) => !NO_CHANGE.has(type))) {
      this.#latencyMs = this.#hintedAtMs === undefined
        ? undefined
        : performance.now() - this.#hintedAtMs;
    }
    this.#hintedAtMs = undefined;
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#closing !== undefined) return;
    const at = wakeAt(this.#core);
    if (at === Infinity) return;
    this.#timer = setTimeout(
      () => this.#apply({ type: "wake" }),
      Math.min(2 ** 31 - 1, Math.max(0, Math.ceil(at - performance.now()))),
    );
  }

  /** Reads what is fast, against what is known; without that, everything. */
  async #read(fastFrom: NetworkSnapshot | undefined): Promise<void> {
    const number = ++this.#counts.reads;
    const ready = [...this.#waiters].filter(({ from }) => from <= number);
    try {
      const { signal } = this.#aborter;
      const known = this.#core.snapshot;
      const monitor = this.#monitor;
      const ask = monitor !== undefined && "read" in monitor
        ? (signal: AbortSignal) => monitor.read(signal)
        : undefined;
      const snapshot = await readAgain(signal, known, fastFrom, ask);
      this.#apply({ type: "snapshot", snapshot });
      for (const waiter of ready) waiter.resolve(this.state);
    } catch (error) {
      for (const waiter of ready) waiter.reject(error);
      if (this.#closing !== undefined) return;
      const reason = error instanceof Error ? error.message : String(error);
      this.#apply({ type: "read-failed", reason });
    }
  }

  #poll(): void {
    this.#counts.polls++;
    const rows = this.#rows();
    if (rows === this.#lastRows) return;
    this.#lastRows = rows;
    this.#apply({ type: "hint" });
  }

  #readClocks(): void {
    const reading: ClockReading = {
      monotonicMs: performance.now(),
      wallMs: Date.now(),
      uptimeS: mayReadUptime() ? Deno.osUptime() : undefined,
    };
    this.#apply({ type: "clock", reading });
  }

  #rows(): string | undefined {
    if (!this.#core.config.poll) return undefined;
    try {
      return fingerprint(denoRows());
    } catch {
      // Refused meanwhile, or failed once: the full reading tells of it.
      return this.#lastRows;
    }
  }

  #startMonitor(): void {
    this.#counts.monitorStarts++;
    const listener: MonitorListener = {
      onHint: (kind) => {
        if (kind === "overflow") this.#counts.overflows++;
        this.#counts.hints++;
        this.#apply({ type: "hint" });
      },
      onEnd: (reason, final) => {
        this.#monitor = undefined;
        this.#apply({ type: "monitor-ended", reason, final });
      },
    };
    this.#monitor = startFor(listener);
    if (this.#monitor !== undefined) this.#apply({ type: "monitor-started" });
  }

  #freshRead(signal?: AbortSignal): Promise<NetworkSnapshot> {
    // The reading under way began before this call: its answer may be old.
    const { promise, resolve, reject } = Promise.withResolvers<
      NetworkSnapshot
    >();
    const onAbort = () => waiter.reject(signal!.reason);
    const done = () => {
      signal?.removeEventListener("abort", onAbort);
      this.#waiters.delete(waiter);
    };
    const waiter: Waiter = {
      from: this.#counts.reads + 1,
      resolve: (snapshot) => (done(), resolve(snapshot)),
      reject: (error) => (done(), reject(error)),
    };
    this.#waiters.add(waiter);
    signal?.addEventListener("abort", onAbort, { once: true });
    return promise;
  }
}

function mayReadUptime(): boolean {
  const uptime = { name: "sys", kind: "osUptime" } as const;
  return Deno.permissions.querySync(uptime).state === "granted";
}

const NO_CHANGE: ReadonlySet<string> = new Set<NetworkEvent["type"]>([
  "woke",
  "clock-step",
  "stalled",
  "degraded",
  "recovered",
  "settled",
]);

function closedError(): DOMException {
  return new DOMException("The network watch is closed", "AbortError");
}
