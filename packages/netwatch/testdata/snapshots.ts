import { assemble, type Parts } from "../_assemble.ts";
import type { NetworkInterface, NetworkSnapshot } from "../snapshot.ts";

/** An IPv4 address in full. */
export function address(
  text: string,
  prefix = 24,
): NetworkInterface["addresses"][number] {
  return {
    family: text.includes(":") ? "IPv6" : "IPv4",
    address: text,
    prefix,
    scope: text.startsWith("127.") ? "host" : "global",
    tentative: false,
    deprecated: false,
    temporary: false,
  };
}

/** An interface that is up with carrier. */
export function link(
  name: string,
  index: number,
  ...addresses: readonly string[]
): NetworkInterface {
  return {
    name,
    index,
    up: true,
    carrier: true,
    mtu: 1500,
    kind: "ether",
    addresses: addresses.map((text) => address(text)),
  };
}

/** A snapshot of a system that sees everything. */
export function snapshot(
  interfaces: readonly NetworkInterface[],
  gateway?: string,
  rest: Partial<Parts> = {},
): NetworkSnapshot {
  return assemble({
    interfaces,
    defaultRoutes: gateway === undefined ? [] : [{
      family: "IPv4",
      type: "unicast",
      gateway,
      interface: interfaces.at(-1)!.name,
      metric: 0,
      table: "main",
    }],
    rules: [],
    links: true,
    sources: ["ip"],
    ...rest,
  });
}
