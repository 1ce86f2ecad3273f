/** What a watch makes of an event source that dies, and of readings that fail. */
import type { CoreState } from "./_core_state.ts";
import type { NetworkEvent } from "./network_event.ts";

const RESTART_MS_MIN = 1_000;
const RESTART_MS_MAX = 60_000;
/** A monitor that lived this long starts afresh with its restart delays. */
const MONITOR_STABLE_MS = 10_000;

/** A state, and what there is to tell. */
export type Told = readonly [CoreState, readonly NetworkEvent[]];

/** It ended by itself: told once, and started again after longer and longer. */
export function monitorEnded(
  state: CoreState,
  input: { readonly reason: string; readonly final: boolean },
  now: number,
): Told {
  const { monitor, config } = state;
  const stable = "sinceMs" in monitor &&
    now - monitor.sinceMs > MONITOR_STABLE_MS;
  const attempt = stable || !("attempt" in monitor) ? 0 : monitor.attempt;
  const delayMs = Math.min(RESTART_MS_MAX, RESTART_MS_MIN * 2 ** attempt);
  const next: CoreState = {
    ...state,
    monitor: {
      status: "down",
      restartAtMs: input.final ? Infinity : now + delayMs,
      attempt: Math.min(attempt + 1, 16),
    },
    fullAtMs: Math.min(state.fullAtMs, now + config.fallbackReadMs),
  };
  return degrade(
    next,
    "monitor",
    `${input.reason}: changes are found by reading every ${config.fallbackReadMs} ms`,
  );
}

/** Less is seen than should be. */
export function degrade(
  state: CoreState,
  what: "monitor" | "read",
  reason: string,
): Told {
  const known = state.degraded[what] !== undefined;
  return [
    { ...state, degraded: { ...state.degraded, [what]: reason } },
    known ? [] : [{ type: "degraded", what, reason }],
  ];
}

/** And everything again. */
export function recover(
  state: CoreState,
  what: "monitor" | "read",
  reason: string,
): Told {
  if (state.degraded[what] === undefined) return [state, []];
  return [
    { ...state, degraded: { ...state.degraded, [what]: undefined } },
    [{ type: "recovered", what, reason }],
  ];
}
