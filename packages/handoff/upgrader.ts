import { Socket } from "node:net";
import { Emitter, EventReader } from "@holdfast/events/emitter";
import { SocketDuplex } from "./_duplex.ts";
import { replaceProcess } from "./_replace.ts";
import { Takeover } from "./_takeover.ts";
import { HandoffError } from "./error.ts";
import { adoptSockets, consumeInheritance } from "./inherit.ts";
import { listen, type PassableListenOptions } from "./listen.ts";
import type { PassableListener } from "./listener.ts";
import type { SpawnedProcess } from "./spawned.ts";
import type { UpgradeOptions } from "./upgrade_options.ts";
import type { UpgradeEvent, UpgraderState } from "./upgrade_event.ts";

const TIMEOUT_MS_DEFAULT = 60_000;
const STATE_BYTES_MAX_DEFAULT = 1024 ** 3;

/** What to do about a call that comes in this phase. */
const REMEDIES: Readonly<Record<UpgraderState["phase"], string>> = {
  loading: "call ready() first",
  serving: "it is ready already",
  upgrading: "wait for the upgrade under way",
  superseded: "finish what is open, and exit",
  closed: "open another one",
};

/** Options for {@linkcode openUpgrader}. */
export interface UpgraderOptions {
  /**
   * The longest state that is sent or taken.
   *
   * @default {1073741824}
   */
  readonly stateBytesMax?: number | undefined;
  /**
   * Receives what a listener of an event throws.
   *
   * @default {reportError}
   */
  readonly onListenerError?: ((error: unknown) => void) | undefined;
  /** Aborts the start. */
  readonly signal?: AbortSignal | undefined;
}

/** What an {@linkcode Upgrader} starts from; see {@linkcode openUpgrader}. */
export interface UpgraderStart {
  /** The listeners that this process was started with. */
  readonly inherited: ReadonlyMap<string, PassableListener>;
  /** The channel to the predecessor, when there is one. */
  readonly controlFd: number | undefined;
}

/**
 * Replaces the running process by its successor without closing a listener;
 * see {@linkcode openUpgrader}.
 */
export class Upgrader extends EventReader<UpgradeEvent>
  implements AsyncDisposable {
  /** The listeners that this process was started with, by name. */
  readonly inherited: ReadonlyMap<string, PassableListener>;
  readonly #emitter: Emitter<UpgradeEvent>;
  readonly #listeners: Map<string, PassableListener>;
  readonly #takeover: Takeover | undefined;
  readonly #stateBytesMax: number;
  readonly #closing: AbortController = new AbortController();
  #upgrade: Promise<unknown> | undefined;
  #state: UpgraderState;
  #received = false;

  /** Use {@linkcode openUpgrader}. */
  constructor(start: UpgraderStart, options: UpgraderOptions) {
    const { onListenerError } = options;
    const emitter = new Emitter<UpgradeEvent>({ onListenerError });
    super(emitter);
    this.#emitter = emitter;
    this.#stateBytesMax = options.stateBytesMax ?? STATE_BYTES_MAX_DEFAULT;
    this.inherited = start.inherited;
    this.#listeners = new Map(start.inherited);
    if (start.controlFd !== undefined) {
      const socket = new Socket({ fd: start.controlFd });
      const channel = new SocketDuplex(socket);
      this.#takeover = new Takeover(channel, this.#stateBytesMax);
      // Until this process may serve, clients belong to the predecessor.
      for (const listener of start.inherited.values()) void listener.pause();
    }
    const successor = this.#takeover !== undefined;
    this.#state = { phase: "loading", successor };
  }

  /** What the upgrader is doing. */
  get state(): UpgraderState {
    return this.#state;
  }

  /**
   * The inherited listener of that name; else a new one, which successors will
   * inherit. The options are for a new one: an inherited one is as it is.
   */
  async listen(
    name: string,
    options: PassableListenOptions,
  ): Promise<PassableListener> {
    options.signal?.throwIfAborted();
    const known = this.#listeners.get(name);
    if (known !== undefined && !known.closed) return known;
    const listener = await listen(options);
    this.#listeners.set(name, listener);
    return listener;
  }

  /**
   * Asks the predecessor for its state; `undefined` when there is no
   * predecessor, or it has none to give. Until this call it serves
   * undisturbed: make the long preparations first.
   *
   * @throws {HandoffError} `handoff/predecessor-gone`, `handoff/bad-bytes`,
   *   `handoff/digest-mismatch` or `handoff/state-too-large`.
   */
  async predecessorState(): Promise<Uint8Array | undefined> {
    if (this.#takeover === undefined) return undefined;
    const state = await this.#takeover.state();
    if (!this.#received) {
      this.#received = true;
      const bytes = state?.byteLength ?? 0;
      this.#emitter.emit({ type: "state-received", bytes });
    }
    return state;
  }

  /**
   * Tells that this process can serve. Resolves when the predecessor has
   * stepped back: from then on the inherited listeners accept.
   *
   * @throws {HandoffError} When the take-over failed; the predecessor serves
   *   on and ends this process.
   */
  async ready(): Promise<void> {
    if (this.#state.phase === "serving") return;
    this.#require("loading", "be ready");
    const reason = await this.#takeOver();
    this.#require("loading", "be ready");
    this.#state = { phase: "serving" };
    for (const listener of this.inherited.values()) listener.resume();
    this.#emitter.emit({ type: "serving", reason });
  }

  /**
   * Starts a successor that inherits the listeners and the state, and resolves
   * when it serves. Then finish what is open, and exit; the listeners are
   * paused for good.
   *
   * @throws {HandoffError} When the successor failed. It is dead, and this
   *   process serves on; `error.frozen` tells whether `state` was called.
   */
  async upgrade(options: UpgradeOptions): Promise<SpawnedProcess> {
    options.signal?.throwIfAborted();
    this.#require("serving", "upgrade");
    const sockets = options.sockets ?? this.#openListeners();
    const { timeoutMs = TIMEOUT_MS_DEFAULT } = options;
    if (!(timeoutMs > 0 && timeoutMs < 2 ** 31)) {
      throw new RangeError(
        `Cannot upgrade: timeoutMs must be from 1 to ${
          2 ** 31 - 1
        }: current value is ${timeoutMs}`,
      );
    }
    this.#state = { phase: "upgrading", pid: undefined, step: "starting" };
    const replacement = replaceProcess({
      options,
      sockets,
      timeoutMs,
      stateBytesMax: this.#stateBytesMax,
      closing: this.#closing.signal,
      onPhase: (step, pid) => {
        this.#state = { phase: "upgrading", pid, step };
      },
      emit: (event) => this.#emitter.emit(event),
    });
    this.#upgrade = replacement.catch(() => {});
    try {
      const successor = await replacement;
      this.#state = { phase: "superseded", pid: successor.pid };
      this.#emitter.emit({ type: "superseded", pid: successor.pid });
      return successor;
    } catch (error) {
      this.#state = { phase: "serving" };
      throw error;
    } finally {
      this.#upgrade = undefined;
    }
  }

  /**
   * Ends the upgrader: an upgrade under way is rolled back, and all listeners
   * that it gave out are closed. A second call does nothing.
   */
  async close(): Promise<void> {
    const reason = new DOMException("The upgrader is closed", "AbortError");
    this.#closing.abort(reason);
    await this.#upgrade;
    this.#state = { phase: "closed" };
    this.#takeover?.close();
    for (const listener of this.#listeners.values()) {
      listener[Symbol.dispose]();
    }
    this.#emitter[Symbol.dispose]();
  }

  /** See {@linkcode Upgrader.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #takeOver(): Promise<"first" | "took-over" | "predecessor-gone"> {
    const takeover = this.#takeover;
    if (takeover === undefined) return "first";
    try {
      await this.predecessorState();
      await takeover.announce();
      return "took-over";
    } catch (error) {
      const code = error instanceof HandoffError ? error.code : undefined;
      if (code !== "handoff/predecessor-gone") throw error;
      // Nobody else is left to serve. The program knows that it has no state:
      // `predecessorState` told it so.
      takeover.close();
      return "predecessor-gone";
    }
  }

  #openListeners(): Record<string, PassableListener> {
    return Object.fromEntries(
      [...this.#listeners].filter(([, listener]) => !listener.closed),
    );
  }

  #require(phase: UpgraderState["phase"], action: string): void {
    const state = this.#state;
    if (state.phase === phase) return;
    throw new HandoffError(
      "handoff/wrong-phase",
      `Cannot ${action}: the upgrader is ${state.phase}, not ${phase}: ${
        REMEDIES[state.phase]
      }`,
    );
  }
}

/**
 * Makes this process one that can be replaced without a client noticing: takes
 * in what a predecessor passed, if there is one, and passes it on later.
 *
 * Nothing is frozen before the successor has loaded its code, there is exactly
 * one process that may serve at every moment, and whatever goes wrong with a
 * successor leaves the running process running.
 *
 * @example
 * ```ts
 * import { openUpgrader } from "@holdfast/handoff";
 * import { assertEquals } from "@std/assert";
 *
 * await using upgrader = await openUpgrader();
 * const web = await upgrader.listen("web", { port: 0 });
 * const state = await upgrader.predecessorState();
 * assertEquals(state, undefined); // This is the first process.
 * await upgrader.ready();
 * assertEquals(upgrader.state, { phase: "serving" });
 * assertEquals(web.addr.hostname, "127.0.0.1");
 * // On SIGHUP: await upgrader.upgrade({ command: Deno.execPath(), args, state })
 * ```
 *
 * @throws {HandoffError} `handoff/bad-inheritance` when the environment says
 *   what the descriptors do not hold.
 */
export async function openUpgrader(
  options: UpgraderOptions = {},
): Promise<Upgrader> {
  options.signal?.throwIfAborted();
  const inheritance = consumeInheritance();
  if (inheritance === undefined) {
    const none = { inherited: new Map(), controlFd: undefined };
    return new Upgrader(none, options);
  }
  const inherited = await adoptSockets(inheritance);
  const { controlFd } = inheritance;
  return new Upgrader({ inherited, controlFd }, options);
}
