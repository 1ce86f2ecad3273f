import {
  ALL_MS,
  type CoreAction,
  type CoreInput,
  type CoreState,
  type CoreStep,
  GAP_MS_MAX,
  LOOK_MS,
  LOOKUP_MS,
  RESYNC_MS,
  TRIAL_MS,
} from "./_core_state.ts";
import { type ClockReading, compareClocks, firstReading } from "./_clock.ts";
import { overlay, unseen } from "./_overlay.ts";
import { diffSnapshots } from "./diff.ts";
import type { NetworkEvent } from "./network_event.ts";
import { degrade, monitorEnded, recover, type Told } from "./_core_monitor.ts";
import { isMajor } from "./severity.ts";
import type { NetworkSnapshot } from "./snapshot.ts";

/**
 * The whole scheduling of a watch: when to read, when to look, when to try the
 * monitor again, and what to tell. One reading at a time; every hint is
 * followed by a reading that began after it.
 */
export function step(
  state: CoreState,
  input: CoreInput,
  now: number,
): CoreStep {
  const [took, told] = take(state, input, now);
  const [next, events, actions] = advance(took, now);
  return { state: next, events: [...told, ...events], actions };
}

/** When to call {@linkcode step} with `wake`, if nothing else happens. */
export function wakeAt(state: CoreState): number {
  const { monitor, unsettled, config } = state;
  const times = [state.pollAtMs, state.clockAtMs];
  if (!state.reading) times.push(readDueAt(state));
  if (monitor.status === "trial") times.push(monitor.sinceMs + TRIAL_MS);
  if (monitor.status === "down") times.push(monitor.restartAtMs);
  if (unsettled !== undefined) {
    times.push(unsettled.sinceMs + config.settleMsMax);
    if (!state.reading) times.push(unsettled.lastMs + config.quietMs);
  }
  return Math.min(...times);
}

function readDueAt(state: CoreState): number {
  const { readAtMs = Infinity, lookAtMs = Infinity } = state;
  return Math.min(readAtMs, lookAtMs, allDueAt(state));
}

/** When to read everything, and not only what is fast. */
function allDueAt(state: CoreState): number {
  const { fullAtMs, resyncAtMs = Infinity, allAtMs = Infinity } = state;
  return Math.min(fullAtMs, resyncAtMs, allAtMs);
}

function take(state: CoreState, input: CoreInput, now: number): Told {
  const { config } = state;
  switch (input.type) {
    case "start":
      return [{
        ...state,
        readAtMs: now,
        pollAtMs: config.poll ? now + config.pollMs : Infinity,
        clockAtMs: now,
        // Due at once: `advance` starts it.
        monitor: config.monitor
          ? { status: "down", restartAtMs: now, attempt: 0 }
          : { status: "off" },
      }, []];
    case "wake":
      return [state, []];
    case "clock":
      return takeClocks(state, input.reading, now);
    case "hint":
      return [hinted(state, now), []];
    case "look":
      return [{ ...state, lookAtMs: state.lookAtMs ?? now + LOOK_MS }, []];
    case "refresh":
      return [hinted({ ...state, gapMs: 0, allAtMs: now }, now), []];
    case "snapshot":
      return takeSnapshot(state, input.snapshot, now);
    case "read-failed":
      return degrade(
        readEnded({ ...state, gapMs: GAP_MS_MAX }, now),
        "read",
        input.reason,
      );
    case "monitor-started": {
      const attempt = "attempt" in state.monitor ? state.monitor.attempt : 0;
      return [{
        ...state,
        resyncAtMs: now + RESYNC_MS,
        monitor: { status: "trial", sinceMs: now, attempt },
      }, []];
    }
    case "monitor-ended":
      // It may have died before it told of a change.
      return monitorEnded(hinted(state, now), input, now);
  }
}

/** After a sleep, or a while in which nothing was heard, everything is read. */
function takeClocks(
  state: CoreState,
  reading: ClockReading,
  now: number,
): Told {
  if (state.clock === undefined) {
    return [{ ...state, clock: firstReading(reading) }, []];
  }
  const { pollMs } = state.config;
  const { state: clock, events } = compareClocks(state.clock, reading, pollMs);
  const next = { ...state, clock };
  return events.some(({ type }) => type !== "clock-step")
    ? [hinted({ ...next, gapMs: 0, allAtMs: now }, now), events]
    : [next, events];
}

function hinted(state: CoreState, now: number): CoreState {
  if (state.reading) return { ...state, again: true };
  const dueMs = Math.max(now, state.lastReadMs + state.gapMs);
  return {
    ...state,
    readAtMs: Math.min(state.readAtMs ?? Infinity, dueMs),
  };
}

function readEnded(state: CoreState, now: number): CoreState {
  const { config, monitor, again, gapMs, readingLook } = state;
  const watched = monitor.status === "live" || monitor.status === "trial";
  const fullMs = watched ? config.fullReadMs : config.fallbackReadMs;
  return {
    ...state,
    reading: false,
    readingAll: false,
    readingLook: false,
    again: false,
    lastReadMs: now,
    // A program that tracks new paths all the time does not put it off.
    fullAtMs: readingLook ? state.fullAtMs : now + fullMs,
    readAtMs: again ? now + gapMs : undefined,
  };
}

function takeSnapshot(
  state: CoreState,
  read: NetworkSnapshot,
  now: number,
): Told {
  const known = state.snapshot;
  const snapshot = overlay(known, read);
  const changes = known === undefined ? [] : diffSnapshots(known, snapshot);
  const changed = changes.length > 0;
  // A storm of hints that change nothing must not become a storm of readings.
  const calm = now - state.lastReadMs > 10 * GAP_MS_MAX;
  const gapMs = changed || calm
    ? 0
    : state.readingLook
    ? state.gapMs
    : Math.min(GAP_MS_MAX, Math.max(1, state.gapMs * 2));
  const { unsettled } = state;
  const open = leftOpen(state, snapshot, changed, now + gapMs, now);
  const next = readEnded({
    ...state,
    ...open,
    snapshot,
    gapMs,
    unsettled: !changed ? unsettled : {
      sinceMs: unsettled?.sinceMs ?? now,
      lastMs: now,
      changes: (unsettled?.changes ?? 0) + changes.length,
      major: (unsettled?.major ?? false) ||
        changes.some((change) =>
          isMajor(change, snapshot, { ignore: state.config.ignore })
        ),
    },
  }, now);
  const hidden = known === undefined ? [] : unseen(known, read);
  const [after, told] = hidden.length > 0
    ? degrade(next, "read", read.problems.join("; "))
    : recover(next, "read", "Everything is seen again");
  return [after, [...changes, ...told]];
}

/**
 * What a reading leaves open. A hint that a fast one does not explain is of
 * something that it does not ask for; after a change everything is read once it
 * is quieter; and a gateway that nobody has spoken with is looked for again.
 */
function leftOpen(
  state: CoreState,
  snapshot: NetworkSnapshot,
  changed: boolean,
  soon: number,
  now: number,
): Pick<CoreState, "allAtMs" | "lookups"> {
  const { readingAll, readingLook, allAtMs = Infinity } = state;
  const { unsettled, config } = state;
  const lookups = changed ? 0 : state.lookups;
  if (!readingAll && changed) {
    // Not in the way of the next change, if there are many.
    const latest = (unsettled?.sinceMs ?? now) + config.settleMsMax;
    return { allAtMs: Math.min(now + ALL_MS, latest), lookups };
  }
  if (readingLook) return { allAtMs: state.allAtMs, lookups };
  if (!readingAll) return { allAtMs: Math.min(allAtMs, soon), lookups };
  const silent = Object.values(snapshot.effective).some((route) =>
    route.gateway !== undefined && route.hardware === undefined
  );
  const waitMs = silent ? LOOKUP_MS[lookups] : undefined;
  return waitMs === undefined
    ? { allAtMs: undefined, lookups }
    : { allAtMs: now + waitMs, lookups: lookups + 1 };
}

/** Does what is due. */
function advance(
  from: CoreState,
  now: number,
): readonly [CoreState, readonly NetworkEvent[], readonly CoreAction[]] {
  const actions: CoreAction[] = [];
  let state = from;
  let events: readonly NetworkEvent[] = [];
  const { monitor, config } = state;
  if (monitor.status === "down" && now >= monitor.restartAtMs) {
    const { attempt } = monitor;
    state = { ...state, monitor: { status: "starting", attempt } };
    actions.push("start-monitor");
  } else if (monitor.status === "trial" && now >= monitor.sinceMs + TRIAL_MS) {
    state = { ...state, monitor: { ...monitor, status: "live" } };
    [state, events] = recover(state, "monitor", "The monitor runs again");
  }
  if (now >= state.pollAtMs) {
    state = { ...state, pollAtMs: now + config.pollMs };
    actions.push("poll");
  }
  if (now >= state.clockAtMs) {
    state = { ...state, clockAtMs: now + config.pollMs };
    actions.push("clock");
  }
  if (now >= readDueAt(state) && !state.reading) {
    const resynced = now >= (state.resyncAtMs ?? Infinity);
    const all = now >= allDueAt(state) || state.snapshot === undefined;
    const hinted = now >= (state.readAtMs ?? Infinity);
    state = {
      ...state,
      reading: true,
      readingAll: all,
      readingLook: !all && !hinted,
      lookAtMs: undefined,
      allAtMs: all ? undefined : state.allAtMs,
      again: false,
      readAtMs: undefined,
      resyncAtMs: resynced ? undefined : state.resyncAtMs,
    };
    actions.push(all ? "read-all" : "read");
  }
  const [settled, told] = settle(state, now);
  return [settled, [...events, ...told], actions];
}

function settle(state: CoreState, now: number): Told {
  const { unsettled, config, reading } = state;
  if (unsettled === undefined) return [state, []];
  const limit = now >= unsettled.sinceMs + config.settleMsMax;
  const quiet = now >= unsettled.lastMs + config.quietMs && !reading;
  if (!limit && !quiet) return [state, []];
  return [{ ...state, unsettled: undefined }, [{
    type: "settled",
    reason: quiet ? "quiet" : "limit",
    changes: unsettled.changes,
    major: unsettled.major,
    durationMs: now - unsettled.sinceMs,
  }]];
}
