import { Socket } from "node:net";
import { Emitter, EventReader } from "@holdfast/events/emitter";
import type { Server as HttpServer } from "node:http";
import type { DenoServeOptions } from "./_deno_serve.ts";
import { SocketDuplex } from "./_duplex.ts";
import { connectionsOfParent, Handing, PROBE_NAME, twin } from "./_handing.ts";
import { Lineage } from "./_lineage.ts";
import { replaceProcess } from "./_replace.ts";
import { Takeover } from "./_takeover.ts";
import { HandoffError } from "./error.ts";
import { adoptSockets, consumeInheritance } from "./inherit.ts";
import { listen, type PassableListenOptions } from "./listen.ts";
import type { PassableListener } from "./listener.ts";
import type { ReceivedSocket } from "./received_socket.ts";
import type { SocketReceiver } from "./receiver.ts";
import {
  type DrainOptions,
  serveDeno,
  type ServedListener,
  serveNode,
} from "./serve.ts";
import type { SpawnedProcess } from "./spawned.ts";
import type { UpgradeOptions } from "./upgrade_options.ts";
import type { UpgradeEvent, UpgraderState } from "./upgrade_event.ts";

const GENERATIONS_MAX = 4;
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
  readonly #lineage: Lineage;
  readonly #served: ServedListener[] = [];
  readonly #connections: SocketReceiver | undefined;
  /**
   * In a successor that is asked for its health before it serves: where the
   * questions come. `serve` and `serveNode` answer them by themselves.
   */
  readonly probe: PassableListener | undefined;
  #upgrade: Promise<unknown> | undefined;
  #state: UpgraderState;
  #received = false;
  #control: SocketDuplex | undefined;

  /** Use {@linkcode openUpgrader}. */
  constructor(start: UpgraderStart, options: UpgraderOptions) {
    const { onListenerError } = options;
    const emitter = new Emitter<UpgradeEvent>({ onListenerError });
    super(emitter);
    this.#emitter = emitter;
    this.#stateBytesMax = options.stateBytesMax ?? STATE_BYTES_MAX_DEFAULT;
    this.inherited = start.inherited;
    this.#listeners = new Map(start.inherited);
    this.probe = this.#listeners.get(PROBE_NAME);
    this.#listeners.delete(PROBE_NAME);
    this.#lineage = new Lineage((draining) =>
      this.#emitter.emit({ type: "predecessors", draining })
    );
    if (start.controlFd !== undefined) {
      const socket = new Socket({ fd: start.controlFd });
      const channel = new SocketDuplex(socket);
      this.#takeover = new Takeover(
        channel,
        this.#stateBytesMax,
        (_, count) => this.#lineage.setAncestors(count),
      );
      this.#control = channel;
      this.#connections = connectionsOfParent();
      // Until this process may serve, clients belong to the predecessor.
      for (const listener of this.#listeners.values()) void listener.pause();
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
    if (reason === "took-over") this.#lineage.descendFrom(this.#control!);
    this.probe?.[Symbol.dispose]();
    for (const listener of this.#listeners.values()) listener.resume();
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
    const { generationsMax = GENERATIONS_MAX } = options;
    const prepared = this.#prepare(options, generationsMax, timeoutMs);
    this.#upgrade = prepared.catch(() => {});
    using stack = new DisposableStack();
    let probe: PassableListener | undefined;
    try {
      await prepared;
      if (options.probe !== undefined) {
        probe = stack.use(await listen({ port: 0 }));
      }
    } catch (error) {
      this.#state = { phase: "serving" };
      throw error;
    }
    const handing = new Handing();
    const replacement = replaceProcess({
      options,
      sockets: probe === undefined
        ? sockets
        : { ...sockets, [PROBE_NAME]: probe },
      probeAddr: probe?.addr,
      onHurry: () => this.#lineage.hurry(),
      sendConnections: (successor, given) => handing.send(successor, given),
      takeBack: () => handing.takeBack(),
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
      this.#lineage.precede(successor.control!);
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
    this.#lineage.close();
    await this.#connections?.close();
    this.probe?.[Symbol.dispose]();
    for (const listener of this.#listeners.values()) {
      listener[Symbol.dispose]();
    }
    this.#emitter[Symbol.dispose]();
  }

  /** See {@linkcode Upgrader.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * `Deno.serve` on the listener of that name (see `listen` and `serveDeno`),
   * from `ready()` on. Needs `--allow-ffi`.
   */
  async serve(
    name: string,
    options: PassableListenOptions & DenoServeOptions,
    handler: Deno.ServeHandler,
  ): Promise<PassableListener> {
    const listener = await this.#idleListener(name, options);
    this.#served.push(serveDeno(listener, handler, options));
    if (this.probe !== undefined) serveDeno(this.probe, handler, options);
    return listener;
  }

  /**
   * A server of `node:http` on the listener of that name, from `ready()` on.
   * Needs no permission but that to listen.
   */
  async serveNode(
    name: string,
    options: PassableListenOptions,
    server: HttpServer,
  ): Promise<PassableListener> {
    const listener = await this.#idleListener(name, options);
    this.#served.push(await serveNode(listener, server));
    if (this.probe !== undefined) await serveNode(this.probe, twin(server));
    return listener;
  }

  /**
   * In a successor: the open connections that the predecessor gave away, which
   * are all here once `predecessorState` has resolved.
   */
  async connections(): Promise<ReceivedSocket[]> {
    await this.predecessorState();
    const all: ReceivedSocket[] = [];
    while ((this.#connections?.state.waiting ?? 0) > 0) {
      all.push(await this.#connections!.receive());
    }
    return all;
  }

  /** How many predecessors still finish their work. */
  get predecessors(): number {
    return this.#lineage.draining;
  }

  /** Aborted when this process should end at once: newer ones need its place. */
  get hurried(): AbortSignal {
    return this.#lineage.hurried.signal;
  }

  /**
   * Finishes what `serve` and `serveNode` have open: answers say
   * `Connection: close`, what is left after `timeoutMs` is cut, or at once when
   * too many generations are about. Resolves with whether nothing was cut.
   */
  async drain(options: DrainOptions = {}): Promise<boolean> {
    this.#emitter.emit({ type: "draining" });
    const signals = [this.hurried, ...(options.signal ? [options.signal] : [])];
    const signal = AbortSignal.any(signals);
    const whole = await Promise.all(
      this.#served.map((one) => one.drain({ ...options, signal })),
    );
    const cut = whole.includes(false);
    this.#emitter.emit({ type: "drained", cut });
    return !cut;
  }

  /**
   * Drains, waits for older processes that still do (within the same time),
   * and ends this process.
   */
  async exit(options: DrainOptions & { code?: number } = {}): Promise<never> {
    const end = AbortSignal.any([
      this.hurried,
      AbortSignal.timeout(options.timeoutMs ?? 30_000),
    ]);
    await this.drain(options);
    await this.#lineage.atMost(0, end, false);
    await this.close();
    Deno.exit(options.code ?? 0);
  }

  /**
   * Upgrades whenever the signal comes (SIGHUP by default), and exits when the
   * successor serves; a failed upgrade is told by the `rolled-back` event.
   */
  upgradeOn(
    options: UpgradeOptions & DrainOptions,
    signal: Deno.Signal = "SIGHUP",
  ): Disposable {
    const onSignal = async (): Promise<void> => {
      if (this.#state.phase !== "serving") return;
      try {
        await this.upgrade(options);
      } catch (error) {
        // Told by the event; this process serves on.
        if (!(error instanceof HandoffError)) reportError(error);
        return;
      }
      await this.exit({ timeoutMs: 30_000 });
    };
    Deno.addSignalListener(signal, onSignal);
    return {
      [Symbol.dispose]: () => Deno.removeSignalListener(signal, onSignal),
    };
  }

  async #idleListener(
    name: string,
    options: PassableListenOptions,
  ): Promise<PassableListener> {
    const listener = await this.listen(name, options);
    if (this.#state.phase === "loading") await listener.pause();
    return listener;
  }

  async #prepare(
    options: UpgradeOptions,
    generationsMax: number,
    timeoutMs: number,
  ): Promise<void> {
    const signal = AbortSignal.any([
      this.#closing.signal,
      AbortSignal.timeout(timeoutMs),
      ...(options.signal ? [options.signal] : []),
    ]);
    if (await this.#lineage.atMost(generationsMax - 1, signal)) return;
    throw new HandoffError(
      "handoff/too-many-generations",
      `Cannot upgrade: ${this.#lineage.draining} predecessors still finish their work, more than ${
        generationsMax - 1
      }: let them use exit() or heed hurried, or raise generationsMax`,
    );
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
