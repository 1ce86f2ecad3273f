import type { Events } from "@holdfast/events";
import { platform } from "./_platform.ts";
import { Watch } from "./_watch.ts";
import type { NetworkEvent } from "./network_event.ts";
import type { PathHandle, PathTarget } from "./path.ts";
import type { IgnoredInterfaces } from "./severity.ts";
import type { NetworkSnapshot } from "./snapshot.ts";

/** Options for {@linkcode watchNetwork}. */
export interface WatchOptions {
  /** Closes the watch when aborted. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds between two cheap looks at `Deno.networkInterfaces()`.
   *
   * @default {1000}
   */
  readonly pollMs?: number | undefined;
  /**
   * Milliseconds between two full readings while the event source works: a
   * safety net.
   *
   * @default {60000}
   */
  readonly fullReadMs?: number | undefined;
  /**
   * Milliseconds between two full readings without an event source: after
   * `degraded`, and on systems that have none here yet.
   *
   * @default {1000} on Linux, 5000 elsewhere
   */
  readonly fallbackReadMs?: number | undefined;
  /**
   * Milliseconds without a change until `settled`.
   *
   * @default {250}
   */
  readonly quietMs?: number | undefined;
  /**
   * Milliseconds from the first change by which `settled` comes at the latest.
   *
   * @default {2000}
   */
  readonly settleMsMax?: number | undefined;
  /**
   * Whether to keep a program running that tells of changes at once:
   * `ip monitor` (Linux), `route monitor` (macOS, the BSDs), or one PowerShell
   * (Windows).
   *
   * @default {true}
   */
  readonly monitor?: boolean | undefined;
  /**
   * Interfaces whose changes are never major, such as the program's own VPN;
   * see `isMajor`. Their events come all the same.
   *
   * @default {[]}
   */
  readonly ignore?: IgnoredInterfaces | undefined;
  /** Receives what a listener throws; see `EmitterOptions` of the events. */
  readonly onListenerError?: ((error: unknown) => void) | undefined;
}

/** What a watch has done since it began. */
export interface WatchStats {
  /** Full readings begun: one spawned process each. */
  readonly reads: number;
  /** Looks at `Deno.networkInterfaces()`. */
  readonly polls: number;
  /** Hints of the event source. */
  readonly hints: number;
  /** Times that the event source had to drop something; a reading followed. */
  readonly overflows: number;
  /** Times that the event source was started. */
  readonly monitorStarts: number;
  /** Changes published. */
  readonly changes: number;
  /**
   * Of the latest change: milliseconds from the hint until it was published;
   * absent where it was found without one.
   */
  readonly latencyMs: number | undefined;
  /** Whether events come at once: `live`, or why not. */
  readonly monitor: "off" | "starting" | "live" | "down";
  /** One sentence for each thing that does not work as it should. */
  readonly degraded: readonly string[];
}

/** A running watch: its events, and the state that they changed. */
export interface NetworkWatch extends Events<NetworkEvent>, AsyncDisposable {
  /** The network as it was last read; changed before the events are emitted. */
  readonly state: NetworkSnapshot;
  /** Resolves when everything is released, however it ended. */
  readonly closed: Promise<void>;
  /** Resolves with a snapshot whose reading began after this call. */
  refresh(
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<NetworkSnapshot>;
  /**
   * Lets the program end while this watch runs, as `Deno.unrefTimer()` does for
   * a timer: a program that only listens would otherwise never end.
   */
  unref(): void;
  /** Takes `unref()` back: the program runs at least as long as this watch. */
  ref(): void;
  /** Counters, cheap to take. */
  stats(): WatchStats;
  /**
   * Watches the path of one connection: its events tell when it is lost,
   * leads elsewhere, or is restored. Dispose the handle with the connection.
   *
   * @throws {TypeError} When the local address is no IP address.
   */
  track(target: PathTarget): PathHandle;
  /** Stops watching; ends all events and handles. A second call does nothing. */
  close(): Promise<void>;
}

/**
 * Watches the network of this host until it is closed. Resolves when the first
 * snapshot is read.
 *
 * On Linux a change is published a few milliseconds after it happened:
 * `ip monitor` says that something changed, and one run of `ip` says what.
 * Without it, and on other systems, changes are found by looking again.
 *
 * Needs `--allow-sys=networkInterfaces` and `--allow-run=ip`
 * (`netstat,ifconfig,route` on macOS and FreeBSD, `powershell,route` on
 * Windows);
 * `--allow-sys=osUptime` tells sleep. With `--allow-run=ip,sh` the monitor
 * ends at once when this program is killed, otherwise at the next change.
 *
 * @throws {RangeError} When a number of milliseconds is not at least 1.
 * @throws {NetwatchError} When nothing may be asked, or nothing answers.
 */
export async function watchNetwork(
  options: WatchOptions = {},
): Promise<NetworkWatch> {
  const { signal, onListenerError } = options;
  signal?.throwIfAborted();
  const here = platform();
  const linux = here === "linux";
  const watch = new Watch({
    pollMs: ms("pollMs", options.pollMs, 1_000),
    fullReadMs: ms("fullReadMs", options.fullReadMs, 60_000),
    fallbackReadMs: ms(
      "fallbackReadMs",
      options.fallbackReadMs,
      linux ? 1_000 : 5_000,
    ),
    quietMs: ms("quietMs", options.quietMs, 250),
    settleMsMax: ms("settleMsMax", options.settleMsMax, 2_000),
    monitor: here !== "other" && (options.monitor ?? true),
    poll: mayPoll(),
    ignore: options.ignore,
  }, onListenerError);
  await watch.open(signal);
  return watch;
}

function mayPoll(): boolean {
  const { state } = Deno.permissions.querySync({
    name: "sys",
    kind: "networkInterfaces",
  });
  return state === "granted";
}

function ms(name: string, value: number | undefined, otherwise: number) {
  if (value === undefined) return otherwise;
  if (!Number.isFinite(value) || value < 1 || value > 2 ** 31 - 1) {
    throw new RangeError(
      `Cannot watch the network: ${name} must be from 1 to 2147483647: current value is ${value}`,
    );
  }
  return value;
}
