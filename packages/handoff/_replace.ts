import { runUpgrade } from "./_upgrade.ts";
import { HandoffError } from "./error.ts";
import type { PassableListener } from "./listener.ts";
import { spawnWithSockets } from "./spawn.ts";
import type { SpawnedProcess } from "./spawned.ts";
import type { UpgradeEvent, UpgradePhase } from "./upgrade_event.ts";
import type { UpgradeOptions } from "./upgrade_options.ts";

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
    signal: undefined,
  });
  const { pid } = successor;
  replacement.emit({ type: "started", pid });
  try {
    await runUpgrade({
      successor,
      freeze: () => freeze(replacement, pid),
      onPhase: (phase) => replacement.onPhase(phase, pid),
      timeoutMs,
      signal,
    });
  } catch (error) {
    const failure = error as HandoffError;
    try {
      if (failure.frozen) await options.thaw?.();
    } finally {
      for (const listener of Object.values(sockets)) listener.resume();
      const { code, frozen, message: reason } = failure;
      replacement.emit({ type: "rolled-back", pid, code, frozen, reason });
    }
    throw signal.aborted && failure.cause === signal.reason
      ? signal.reason
      : failure;
  }
  // This process may end while its successor goes on.
  successor.unref();
  return successor;
}

async function freeze(
  replacement: Replacement,
  pid: number,
): Promise<Uint8Array | undefined> {
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
  return state;
}
