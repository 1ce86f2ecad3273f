import type { Events } from "@holdfast/events";
import type { FirewallEvent } from "./firewall_event.ts";
import type { Outcome } from "./outcome.ts";
import type { PlanStep } from "./plan.ts";
import type { AccessRequest } from "./request.ts";

/**
 * What became of a lease.
 *
 * - `open`: its rules are in place, as far as it was looked.
 * - `lost`: another program took them away, and they cannot be put back.
 * - `detached`: they stay, and this program looks after them no more.
 * - `reverted`: they are gone.
 */
export type LeaseState = "open" | "lost" | "detached" | "reverted";

/**
 * An opening in the firewall that this program holds. While it lives it is
 * renewed; when it is disposed the rules are taken back, and just these. Where
 * the program is killed the kernel closes the port when the time is over; ufw
 * knows no time, and there the next program of Holdfast does it.
 */
export interface Lease extends Events<FirewallEvent>, AsyncDisposable {
  /** Names it; the last part of the comment of its rules. */
  readonly id: string;
  /** Whose it is. */
  readonly tag: string;
  /** What was asked. */
  readonly request: AccessRequest;
  /** What became of it. */
  readonly state: LeaseState;
  /** What was run; empty when it was let in without. */
  readonly steps: readonly PlanStep[];
  /** Seconds since 1970 when it is closed unless renewed; undefined: never. */
  readonly expires: number | undefined;
  /**
   * Looks whether its rules are still there, and puts them back if not. It is
   * done by itself every `watchSeconds`.
   */
  check(): Promise<Outcome>;
  /** Makes it last for its whole time again; done by itself in time. */
  renew(): Promise<void>;
  /** Takes its rules back; a second call does nothing. */
  revert(): Promise<void>;
  /** Leaves its rules, until they run out or somebody reverts its tag. */
  detach(): Promise<void>;
}

/** Options for `applyPlan`, besides those of the plan. */
export interface LeaseOptions {
  /**
   * Whether it is renewed before it runs out.
   *
   * @default {true}
   */
  readonly renew?: boolean | undefined;
  /**
   * Whether its rules are put back after another program took them away.
   *
   * @default {true}
   */
  readonly reopen?: boolean | undefined;
  /**
   * How often it is looked whether they are still there, in seconds.
   *
   * @default {30}
   */
  readonly watchSeconds?: number | undefined;
}
