/**
 * Finds out what the firewall of this machine blocks, and plans the smallest
 * change that opens it. It only reads: nothing is ever applied.
 *
 * ```ts
 * import { checkAccess, planAccess } from "@holdfast/firewall";
 * import { assert } from "@std/assert";
 *
 * const request = { port: 8080, source: "10.0.0.0/8" };
 * const outcome = await checkAccess(request);
 * if (outcome.status === "blocked-by") {
 *   // Which layer, table, chain and rule drop it.
 *   assert(outcome.table !== "");
 *   const plan = await planAccess(request);
 *   // The exact commands, for a person to read and to run.
 *   if (plan.status === "ready") assert(plan.steps.length > 0);
 * } else {
 *   // Open, or why it cannot be told.
 *   assert(outcome.why !== "");
 * }
 * ```
 *
 * @module
 */
export {
  type ApplyOptions,
  applyPlan,
  type WorkOptions,
} from "./apply_plan.ts";
export { checkAccess } from "./check_access.ts";
export {
  elevate,
  type Elevated,
  type ElevateOptions,
  type ElevationMethod,
} from "./elevate.ts";
export { FirewallError, type FirewallErrorCode } from "./errors.ts";
export type { FirewallEvent } from "./firewall_event.ts";
export { inspectFirewall } from "./inspect_firewall.ts";
export type { Lease, LeaseOptions, LeaseState } from "./lease.ts";
export {
  listRules,
  type OwnedRule,
  reconcile,
  revertAll,
} from "./rules_list.ts";
export type { Blocker, Except, Family, LayerName, Outcome } from "./outcome.ts";
export type {
  Plan,
  PlanOptions,
  PlanProof,
  PlanStep,
  ReadyPlan,
} from "./plan.ts";
export { planAccess } from "./plan_access.ts";
export type { FirewallReport, LayerReport } from "./report.ts";
export type { AccessRequest } from "./request.ts";
export type { AskOptions, Call, Ran, Runner } from "./runner.ts";
