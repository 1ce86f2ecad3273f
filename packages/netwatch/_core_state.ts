import type { ClockReading, ClockState } from "./_clock.ts";
import type { NetworkEvent } from "./network_event.ts";
import type { IgnoredInterfaces } from "./severity.ts";
import type { NetworkSnapshot } from "./snapshot.ts";

/** `ip monitor` hears nothing in its first milliseconds (3 were measured). */
export const RESYNC_MS = 50;
/** A monitor that lives this long has understood its arguments. */
export const TRIAL_MS = 250;
/** The longest pause between readings while hints keep telling nothing new. */
export const GAP_MS_MAX = 100;
/** How long no change must have come before everything is read once. */
export const ALL_MS = 200;
/** When to look again for a gateway that nobody has spoken with yet. */
export const LOOKUP_MS: readonly number[] = [200, 500, 1_000, 3_000, 10_000];
/** How long the way out of a newly tracked path may stay unknown. */
export const LOOK_MS = 100;
/** What the shell was told to do, in milliseconds. */
export interface CoreConfig {
  /** Between two cheap looks at `Deno.networkInterfaces()`. */
  readonly pollMs: number;
  /** Between two full readings while a monitor gives hints. */
  readonly fullReadMs: number;
  /** Between two full readings while there is no monitor. */
  readonly fallbackReadMs: number;
  /** How long nothing must change for `settled`. */
  readonly quietMs: number;
  /** How long `settled` may be put off by further changes. */
  readonly settleMsMax: number;
  /** Whether there is a monitor to start. */
  readonly monitor: boolean;
  /** Whether `Deno.networkInterfaces()` may be asked. */
  readonly poll: boolean;
  /** Interfaces whose changes are never major. */
  readonly ignore?: IgnoredInterfaces | undefined;
}

/** Where the event source is. */
export type MonitorState =
  | { readonly status: "off" }
  | { readonly status: "starting"; readonly attempt: number }
  | {
    readonly status: "trial" | "live";
    readonly sinceMs: number;
    readonly attempt: number;
  }
  | {
    readonly status: "down";
    readonly restartAtMs: number;
    readonly attempt: number;
  };

/** All that the watch knows between two inputs. */
export interface CoreState {
  readonly config: CoreConfig;
  readonly snapshot?: NetworkSnapshot | undefined;
  readonly reading: boolean;
  /** The reading under way asks for everything, not only what is fast. */
  readonly readingAll: boolean;
  /** When to read everything, since a fast reading left something open. */
  readonly allAtMs?: number | undefined;
  /** How often a gateway was looked for that does not answer yet. */
  readonly lookups: number;
  /** A hint came while reading: what is being read may be too old. */
  readonly again: boolean;
  /** When to read because of a hint. */
  readonly readAtMs?: number | undefined;
  /** When to read because something is asked that was not asked before. */
  readonly lookAtMs?: number | undefined;
  /** The reading under way has no other reason than such a question. */
  readonly readingLook: boolean;
  /** When to read because the monitor hears from now on. */
  readonly resyncAtMs?: number | undefined;
  /** When to read because it is time. */
  readonly fullAtMs: number;
  readonly pollAtMs: number;
  readonly clockAtMs: number;
  /** The pause after a reading that found nothing new; 0 after a change. */
  readonly gapMs: number;
  readonly lastReadMs: number;
  readonly unsettled?:
    | {
      readonly sinceMs: number;
      readonly lastMs: number;
      readonly changes: number;
      readonly major: boolean;
    }
    | undefined;
  readonly monitor: MonitorState;
  readonly clock?: ClockState | undefined;
  readonly degraded: {
    readonly monitor?: string | undefined;
    readonly read?: string | undefined;
  };
}

/** What happened outside. */
export type CoreInput =
  | { readonly type: "clock"; readonly reading: ClockReading }
  | { readonly type: "start" | "wake" | "hint" | "refresh" | "look" }
  | { readonly type: "snapshot"; readonly snapshot: NetworkSnapshot }
  | { readonly type: "read-failed"; readonly reason: string }
  | { readonly type: "monitor-started" }
  | {
    readonly type: "monitor-ended";
    readonly reason: string;
    /** Whether another try can help. */
    readonly final: boolean;
  };

/** What the shell is to do. */
export type CoreAction =
  | "read"
  | "read-all"
  | "poll"
  | "clock"
  | "start-monitor";

/** What follows from an input. */
export interface CoreStep {
  readonly state: CoreState;
  readonly events: readonly NetworkEvent[];
  readonly actions: readonly CoreAction[];
}

/** A watch that has not begun. */
export function initial(config: CoreConfig): CoreState {
  return {
    config,
    reading: false,
    readingAll: false,
    readingLook: false,
    lookups: 0,
    again: false,
    fullAtMs: Infinity,
    pollAtMs: Infinity,
    clockAtMs: Infinity,
    gapMs: 0,
    lastReadMs: -Infinity,
    monitor: { status: "off" },
    degraded: {},
  };
}
