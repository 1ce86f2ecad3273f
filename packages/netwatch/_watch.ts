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
import { type Lookups, lookupsOf } from "./_lookup.ts";
import { toPath } from "./_path_target.ts";
import { TrackedPath } from "./_tracker.ts";
import { isChange } from "./_changes.ts";
import type { NetworkEvent } from "./network_event.ts";
import type { PathHandle, PathTarget } from "./path.ts";
import { readAgain } from "./read.ts";
import { Waiters } from "./_waiters.ts";
import type { NetworkSnapshot } from "./snapshot.ts";
import type { NetworkWatch, WatchStats } from "./watch.ts";

/** The shell around the core: it owns the timer, the processes, the emitter. */
export class Watch extends EventReader<NetworkEvent> implements NetworkWatch {
  readonly closed: Promise<void>;
  readonly #emitter: Emitter<NetworkEvent>;
  readonly #onListenerError: ((error: unknown) => void) | undefined;
  readonly #aborter = new AbortController();
  readonly #released = Promise.withResolvers<void>();
  readonly #paths = new Set<TrackedPath>();
  readonly #waiters = new Waiters<NetworkSnapshot>();
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
  /** Whether the program goes on as long as this watch does. */
  #holds = true;

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
    if (this.#closing !== undefined) {
      path[Symbol.dispose]();
      return path;
    }
    this.#paths.add(path);
    // The way that this very path takes is still to be asked for.
    if (path.lookup !== undefined) this.#apply({ type: "look" });
    return path;
  }

  unref(): void {
    this.#holds = false;
    if (this.#timer !== undefined) Deno.unrefTimer(this.#timer);
    this.#monitor?.unref();
  }

  ref(): void {
    this.#holds = true;
    if (this.#timer !== undefined) Deno.refTimer(this.#timer);
    this.#monitor?.ref();
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
    this.#waiters.rejectAll(closedError());
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
    const changes = events.filter(({ type }) => isChange(type)).length;
    if (changes === 0) return;
    this.#counts.changes += changes;
  }

  /**
   * Even where the snapshot is the old one, a path may leave another way;
   * `true` when a further reading has to tell.
   */
  #updatePaths(lookups: Lookups | undefined): boolean {
    const all = [...this.#paths];
    return all.filter((path) => path.update(this.state, lookups)).length > 0;
  }

  #timeChange(input: CoreInput, events: readonly NetworkEvent[]): void {
    if (input.type === "hint") this.#hintedAtMs ??= performance.now();
    if (input.type !== "snapshot") return;
    if (events.some(({ type }) => isChange(type))) {
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
    if (!this.#holds) Deno.unrefTimer(this.#timer);
  }

  /** Reads what is fast, against what is known; without that, everything. */
  async #read(fastFrom: NetworkSnapshot | undefined): Promise<void> {
    const number = ++this.#counts.reads;
    const ready = this.#waiters.answeredBy(number);
    try {
      const { signal } = this.#aborter;
      const known = this.#core.snapshot;
      const monitor = this.#monitor;
      const ask = monitor !== undefined && "read" in monitor
        ? (signal: AbortSignal) => monitor.read(signal)
        : undefined;
      const asked = lookupsOf([...this.#paths].map(({ path }) => path));
      const { snapshot, lookups } = await readAgain(
        signal,
        known,
        fastFrom,
        ask,
        asked,
      );
      this.#apply({ type: "snapshot", snapshot });
      // Who waits then waits for that reading, too.
      if (this.#updatePaths(lookups)) this.#apply({ type: "hint" });
      else for (const waiter of ready) waiter.resolve(this.state);
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
    if (!this.#holds) this.#monitor?.unref();
    if (this.#monitor !== undefined) this.#apply({ type: "monitor-started" });
  }

  #freshRead(signal?: AbortSignal): Promise<NetworkSnapshot> {
    return this.#waiters.wait(this.#counts.reads + 1, signal);
  }
}

function mayReadUptime(): boolean {
  const uptime = { name: "sys", kind: "osUptime" } as const;
  return Deno.permissions.querySync(uptime).state === "granted";
}

function closedError(): DOMException {
  return new DOMException("The network watch is closed", "AbortError");
}
