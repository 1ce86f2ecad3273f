import { runUpgrade } from "./_upgrade.ts";
import { HandoffError } from "./error.ts";
import type { PassableListener } from "./listener.ts";
import { spawnWithSockets } from "./spawn.ts";
import type { SpawnedProcess } from "./spawned.ts";
import type { UpgradeEvent, UpgradePhase } from "./upgrade_event.ts";
import type {
  DetachedConnection,
  HandedConnection,
  UpgradeOptions,
} from "./upgrade_options.ts";

/** One replacement of this process by a successor. */
export interface Replacement {
  readonly options: UpgradeOptions;
  readonly sockets: Readonly<Record<string, PassableListener>>;
  readonly timeoutMs: number;
  readonly stateBytesMax: number;
  /** Aborted when the upgrader is closed. */
  readonly closing: AbortSignal;
  onPhase(phase: UpgradePhase, pid: number): void;
  emit(event: UpgradeEvent): void;
  /** Where the successor can be asked before it serves. */
  readonly probeAddr: Deno.NetAddr | undefined;
  onHurry(): void;
  /** Sends connections, and keeps a duplicate of each. */
  sendConnections(
    successor: SpawnedProcess,
    given: Iterable<HandedConnection>,
  ): Promise<void>;
  /** The duplicates: they are needed when the upgrade fails. */
  takeBack(): DetachedConnection[];
}

/**
 * Starts a successor and sees it through. When it fails, everything is as it
 * was before: the listeners accept again, and what was frozen is thawed.
 */
export async function replaceProcess(
  replacement: Replacement,
): Promise<SpawnedProcess> {
  const { options, sockets, timeoutMs, closing } = replacement;
  const signal = options.signal === undefined
    ? closing
    : AbortSignal.any([closing, options.signal]);
  signal.throwIfAborted();
  const successor = await spawnWithSockets(options.command, sockets, {
    ...options,
    control: true,
    channel: options.connections !== undefined,
    signal: undefined,
  });
  const { pid } = successor;
  replacement.emit({ type: "started", pid });
  try {
    await runUpgrade({
      successor,
      freeze: () => freeze(replacement, successor),
      probe: () => probe(replacement, signal),
      onHurry: () => replacement.onHurry(),
      onPhase: (phase) => replacement.onPhase(phase, pid),
      timeoutMs,
      signal,
    });
  } catch (error) {
    const failure = error as HandoffError;
    try {
      const back = replacement.takeBack();
      if (failure.frozen) await options.thaw?.(back);
      else for (const { socket } of back) socket[Symbol.dispose]();
    } finally {
      for (const listener of Object.values(sockets)) listener.resume();
      const { code, frozen, message: reason } = failure;
      replacement.emit({ type: "rolled-back", pid, code, frozen, reason });
    }
    throw signal.aborted && failure.cause === signal.reason
      ? signal.reason
      : failure;
  }
  for (const { socket } of replacement.takeBack()) socket[Symbol.dispose]();
  // This process may end while its successor goes on.
  successor.unref();
  return successor;
}

async function probe(
  { options, probeAddr }: Replacement,
  signal: AbortSignal,
): Promise<void> {
  if (options.probe === undefined || probeAddr === undefined) return;
  if (await options.probe(probeAddr, signal) === false) {
    throw new Error("The probe says no");
  }
}

async function freeze(
  replacement: Replacement,
  successor: SpawnedProcess,
): Promise<Uint8Array | undefined> {
  const { pid } = successor;
  const { options, sockets, stateBytesMax, emit } = replacement;
  emit({ type: "prepared", pid });
  // First: who connects from now on is not part of the state.
  await Promise.all(Object.values(sockets).map((socket) => socket.pause()));
  const state = await options.state?.();
  const bytes = state?.byteLength ?? 0;
  if (bytes > stateBytesMax) {
    throw new HandoffError(
      "handoff/state-too-large",
      `Cannot send the state: it has ${bytes} bytes, more than ${stateBytesMax}: raise stateBytesMax in both processes, or keep bulk data on disk`,
    );
  }
  emit({ type: "frozen", pid, bytes });
  const given = await options.connections?.();
  if (given !== undefined) {
    await replacement.sendConnections(successor, given);
  }
  return state;
}
