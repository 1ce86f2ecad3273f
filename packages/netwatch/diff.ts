import { diffInterfaces } from "./_diff_links.ts";
import {
  diffEffective,
  diffOnline,
  diffRoutes,
  diffRules,
} from "./_diff_routes.ts";
import type { NetworkChange } from "./network_event.ts";
import type { Aspect, NetworkSnapshot } from "./snapshot.ts";

/**
 * The changes that lead from one snapshot to another: first what was lost,
 * then what changed, then what was gained, then routes, and `online` or
 * `offline` last. Equal snapshots give none, and any difference gives at least
 * one. What one of the two cannot see is not compared.
 *
 * ```ts
 * import { diffSnapshots, type NetworkSnapshot } from "@holdfast/netwatch";
 * import { assertEquals } from "@std/assert";
 *
 * const before: NetworkSnapshot = {
 *   interfaces: [],
 *   defaultRoutes: [],
 *   rules: [],
 *   effective: { IPv4: { family: "IPv4", interface: "eth0", gateway: "10.0.0.1" } },
 *   sees: ["addresses", "routes"],
 *   sources: ["netstat"],
 *   problems: [],
 * };
 * const after: NetworkSnapshot = {
 *   ...before,
 *   effective: { IPv4: { family: "IPv4", interface: "eth0", gateway: "10.0.0.9" } },
 * };
 * assertEquals(diffSnapshots(before, before), []);
 * assertEquals(diffSnapshots(before, after), [{
 *   type: "gateway-changed",
 *   reason: "replaced",
 *   family: "IPv4",
 *   before: before.effective.IPv4!,
 *   after: after.effective.IPv4!,
 * }]);
 * ```
 */
export function diffSnapshots(
  before: NetworkSnapshot,
  after: NetworkSnapshot,
): NetworkChange[] {
  const both = (aspect: Aspect): boolean =>
    before.sees.includes(aspect) && after.sees.includes(aspect);
  const lost: NetworkChange[] = [];
  const changed: NetworkChange[] = [];
  const gained: NetworkChange[] = [];
  diffInterfaces(before, after, { lost, changed, gained });
  const routes = both("routes") ? diffRoutes(before, after) : [];
  const rules = both("rules") ? diffRules(before, after) : [];
  const defaults = both("routes") ? diffEffective(before, after) : [];
  const online = both("routes") ? diffOnline(before, after) : [];
  return [
    ...lost,
    ...changed,
    ...gained,
    ...routes,
    ...rules,
    ...defaults,
    ...online,
  ];
}
