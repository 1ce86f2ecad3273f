/**
 * What the clocks of a host say of each other: that it slept, that somebody set
 * the time, that this program stood still. Readings are passed in.
 */
import type {
  ClockStepEvent,
  StalledEvent,
  WokeEvent,
} from "./network_event.ts";

/** The clocks, read together. */
export interface ClockReading {
  /** Since the program began, in milliseconds, without sleep (on Linux, macOS). */
  readonly monotonicMs: number;
  /** Since 1970, in milliseconds, as somebody set it. */
  readonly wallMs: number;
  /** Since the start of the system, sleep included, in whole seconds. */
  readonly uptimeS?: number | undefined;
}

/** What is known of the clocks. */
export interface ClockState {
  readonly last: ClockReading;
  /** The most that the uptime was ahead of the monotonic clock so far. */
  readonly aheadMs: number;
}

/** What clocks can tell. */
export type ClockEvent = WokeEvent | ClockStepEvent | StalledEvent;

// The uptime has a grain of one second: less than that is no sleep.
const SLEEP_MS_MIN = 1_000;
const STEP_MS_MIN = 2_500;
const STALL_MS_MIN = 5_000;

/** The first reading. */
export function firstReading(reading: ClockReading): ClockState {
  return { last: reading, aheadMs: aheadMs(reading) ?? 0 };
}

function aheadMs({ uptimeS, monotonicMs }: ClockReading): number | undefined {
  return uptimeS === undefined ? undefined : uptimeS * 1_000 - monotonicMs;
}

/** What another reading tells, which was to come `dueMs` after the last. */
export function compareClocks(
  state: ClockState,
  reading: ClockReading,
  dueMs: number,
): { readonly state: ClockState; readonly events: readonly ClockEvent[] } {
  const { last } = state;
  const passedMs = reading.monotonicMs - last.monotonicMs;
  const ahead = aheadMs(reading);
  const gainedMs = ahead === undefined ? 0 : ahead - state.aheadMs;
  const asleepMs = gainedMs > SLEEP_MS_MIN ? gainedMs : 0;
  const stepMs = reading.wallMs - last.wallMs - passedMs - asleepMs;
  const events: ClockEvent[] = [];
  if (asleepMs > 0) {
    events.push({ type: "woke", reason: "uptime", asleepMs });
  }
  if (Math.abs(stepMs) >= STEP_MS_MIN) {
    // Where the uptime cannot be read, a sleep looks like a step forward.
    const reason = ahead !== undefined
      ? stepMs > 0 ? "forward" : "back"
      : stepMs > 0
      ? "forward-or-sleep"
      : "back";
    events.push({ type: "clock-step", reason, stepMs });
  }
  const lateMs = passedMs - dueMs;
  if (lateMs >= STALL_MS_MIN) {
    events.push({ type: "stalled", reason: "late", stalledMs: lateMs });
  }
  return {
    state: {
      last: reading,
      // After a sleep from there; otherwise the grain only grows towards it.
      aheadMs: asleepMs > 0
        ? ahead!
        : Math.max(state.aheadMs, ahead ?? -Infinity),
    },
    events,
  };
}
