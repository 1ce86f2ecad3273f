import type { NetworkEvent } from "./network_event.ts";
import type {
  InterfaceAddress,
  NetworkInterface,
  NetworkSnapshot,
} from "./snapshot.ts";

/**
 * Interfaces that do not matter to a program: by name, or by a test of it. The
 * test also gets what is known of the interface, unless it is gone.
 */
export type IgnoredInterfaces =
  | readonly string[]
  | ((name: string, entry?: NetworkInterface) => boolean);

/** Options for {@linkcode isMajor}. */
export interface SeverityOptions {
  /**
   * Interfaces whose changes never count, such as the program's own VPN: taking
   * the default route to it is no reason to connect anew.
   *
   * @default {[]}
   */
  readonly ignore?: IgnoredInterfaces | undefined;
}

/**
 * Whether an event is a reason for connections to be looked at: the way out is
 * another, the network behind it is another, what they rest on went away, or
 * the host slept. Everything else is minor: other interfaces, such as those of
 * containers, that come and go; temporary and deprecated IPv6 addresses;
 * addresses that may not be used yet; worse routes; MTUs; lifetimes.
 *
 * ```ts
 * import { isMajor, readSnapshot } from "@holdfast/netwatch";
 * import { assertEquals } from "@std/assert";
 *
 * const snapshot = await readSnapshot();
 * const woke = { type: "woke", reason: "uptime", asleepMs: 60_000 } as const;
 * assertEquals(isMajor(woke, snapshot), true);
 * const settled = {
 *   type: "settled", reason: "quiet", changes: 1, durationMs: 3, major: false,
 * } as const;
 * assertEquals(isMajor(settled, snapshot), false);
 * ```
 *
 * @param event What a watch, or `diffSnapshots`, told.
 * @param snapshot The network after it.
 */
export function isMajor(
  event: NetworkEvent,
  snapshot: NetworkSnapshot,
  options: SeverityOptions = {},
): boolean {
  const ignored = tester(options.ignore ?? [], snapshot);
  const carries = (name: string): boolean =>
    !ignored(name) &&
    Object.values(snapshot.effective).some((route) => route.interface === name);
  switch (event.type) {
    case "online":
    case "offline":
    case "woke":
      return true;
    case "network-changed":
      return event.reason === "replaced" && !ignored(event.after.interface);
    case "gateway-changed":
    case "default-interface-changed": {
      const { before, after } = event;
      return [before, after].every((route) =>
        route === undefined || !ignored(route.interface)
      );
    }
    case "interface-down":
    case "carrier-lost":
      return carries(event.after.name);
    case "interface-removed":
      return carries(event.before.name);
    case "address-removed":
      return isStable(event.before) && carries(event.interface);
    case "address-added":
      return isStable(event.after) && carries(event.interface);
    case "address-changed":
      // Its uniqueness was found out: only now can it be used.
      return event.before.tentative && isStable(event.after) &&
        carries(event.interface);
    default:
      return false;
  }
}

function tester(
  ignore: IgnoredInterfaces,
  { interfaces }: NetworkSnapshot,
): (name: string) => boolean {
  if (typeof ignore !== "function") return (name) => ignore.includes(name);
  return (name) => ignore(name, interfaces.find((one) => one.name === name));
}

/** Whether connections may rest on it for long. */
function isStable(address: InterfaceAddress): boolean {
  return (address.scope === "global" || address.scope === "site") &&
    !address.temporary && !address.deprecated && !address.tentative;
}
