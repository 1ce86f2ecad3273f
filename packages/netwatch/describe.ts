import type { NetworkEvent } from "./network_event.ts";
import type { PathEvent } from "./path.ts";
import type {
  DefaultRoute,
  EffectiveRoute,
  InterfaceAddress,
  NetworkInterface,
  NetworkSnapshot,
} from "./snapshot.ts";

/**
 * One readable line for an event, without a time: its type, what it is about,
 * and why. For people; programs read the event.
 *
 * ```ts
 * import { describeEvent } from "@holdfast/netwatch";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(
 *   describeEvent({
 *     type: "gateway-changed",
 *     reason: "replaced",
 *     family: "IPv4",
 *     before: { family: "IPv4", interface: "eth0", gateway: "10.0.0.1" },
 *     after: { family: "IPv4", interface: "eth0", gateway: "10.0.0.9" },
 *   }),
 *   "gateway-changed: IPv4 10.0.0.1 dev eth0 -> 10.0.0.9 dev eth0 (replaced)",
 * );
 * ```
 */
export function describeEvent(event: NetworkEvent | PathEvent): string {
  const about = subject(event);
  const { type, reason } = event;
  return about === "" ? `${type} (${reason})` : `${type}: ${about} (${reason})`;
}

function subject(event: NetworkEvent | PathEvent): string {
  switch (event.type) {
    case "interface-added":
      return link(event.after);
    case "interface-removed":
      return event.before.name;
    case "interface-up":
    case "interface-down":
    case "carrier-lost":
    case "carrier-gained":
    case "interface-changed":
      return link(event.after);
    case "address-added":
    case "address-changed":
      return `${address(event.after)} on ${event.interface}`;
    case "address-removed":
      return `${address(event.before)} on ${event.interface}`;
    case "gateway-changed":
    case "default-interface-changed":
      return `${event.family} ${hop(event.before)} -> ${hop(event.after)}`;
    case "network-changed":
      return `${event.family} ${hop(event.after)}, ${
        event.before.hardware ?? "unknown"
      } -> ${event.after.hardware ?? "unknown"}`;
    case "route-changed":
      return event.what === "rules"
        ? `rules, ${event.before.length} -> ${event.after.length}`
        : `${event.family} table ${event.table}: ${routes(event.before)} -> ${
          routes(event.after)
        }`;
    case "online":
    case "offline":
      return "";
    case "settled":
      return `${event.changes} changes, ${
        event.major ? "major" : "minor"
      }, in ${Math.round(event.durationMs)} ms`;
    case "woke":
      return `after ${Math.round(event.asleepMs / 1_000)} s`;
    case "clock-step":
      return `by ${Math.round(event.stepMs / 1_000)} s`;
    case "stalled":
      return `for ${Math.round(event.stalledMs / 1_000)} s`;
    case "degraded":
    case "recovered":
      return event.what;
    case "path-lost":
    case "path-changed":
    case "path-restored":
      return [event.path.localAddr, event.path.remoteAddr ?? "anywhere"]
        .join(" to ");
  }
}

/** A few readable lines for a snapshot, one for each thing in it. */
export function describeSnapshot(snapshot: NetworkSnapshot): string[] {
  const { interfaces, effective, online } = snapshot;
  const word = online === undefined ? "unknown" : online ? "online" : "offline";
  return [
    ...interfaces.map((entry) =>
      [link(entry), ...entry.addresses.map(address)].join("  ")
    ),
    `default IPv4: ${hop(effective.IPv4)}`,
    `default IPv6: ${hop(effective.IPv6)}`,
    `default routes in all tables: ${routes(snapshot.defaultRoutes)}`,
    `state: ${word} (by ${snapshot.sources.join(", ")})`,
    ...snapshot.problems.map((problem) => `note: ${problem}`),
  ];
}

function link({ name, up, carrier, mtu, kind }: NetworkInterface): string {
  const words = [
    kind,
    up === undefined ? undefined : up ? "up" : "down",
    carrier === undefined ? undefined : carrier ? "carrier" : "no carrier",
    mtu === undefined ? undefined : `mtu ${mtu}`,
  ].filter((word) => word !== undefined);
  return words.length === 0 ? name : `${name} [${words.join(", ")}]`;
}

function address(entry: InterfaceAddress): string {
  const flags = (["tentative", "deprecated", "temporary"] as const)
    .filter((flag) => entry[flag]).map((flag) => ` ${flag}`);
  return `${entry.address}/${entry.prefix}${flags.join("")}`;
}

function hop(route: EffectiveRoute | DefaultRoute | undefined): string {
  if (route === undefined) return "none";
  const { gateway, interface: name } = route;
  const dev = name === undefined ? "" : `dev ${name}`;
  return gateway === undefined ? dev : `${gateway} ${dev}`.trim();
}

function routes(all: readonly DefaultRoute[]): string {
  if (all.length === 0) return "none";
  return all.map((route) =>
    [
      route.type === "unicast" ? "" : route.type,
      hop(route),
      route.metric === 0 ? "" : `metric ${route.metric}`,
      route.table === "main" ? "" : `table ${route.table}`,
    ].filter((word) => word !== "").join(" ")
  ).join(", ");
}
