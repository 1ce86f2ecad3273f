/**
 * Tells whether the firewall of this machine lets a connection in and which
 * rule does not, opens just that with the smallest change at the right place,
 * and takes it back without a trace.
 *
 * ```ts
 * import { applyPlan, checkAccess, planAccess } from "@holdfast/firewall";
 *
 * async function openFor(minutes: number) {
 *   const request = { port: 4000, source: "192.168.0.0/16" };
 *   const outcome = await checkAccess(request);
 *   if (outcome.status === "open") return undefined;
 *   const leaseSeconds = 60 * minutes;
 *   const plan = await planAccess(request, { tag: "game", leaseSeconds });
 *   if (plan.status !== "ready") throw new Error(outcome.why);
 *   // The exact commands, a sentence each, and what they change: show them.
 *   for (const { sentence } of plan.steps) console.log(sentence);
 *   return await applyPlan(plan, { consent: confirm("Do this?") });
 *   // `await using lease = …` takes it back at the end of the block.
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
  PlanRehearsal,
  PlanStep,
  ReadyPlan,
} from "./plan.ts";
export { planAccess } from "./plan_access.ts";
export type { FirewallReport, LayerReport } from "./report.ts";
export type { AccessRequest } from "./request.ts";
export type { AskOptions, Call, Ran, Runner } from "./runner.ts";
