import fc from "fast-check";
import { assemble } from "../_assemble.ts";
import type {
  DefaultRoute,
  InterfaceAddress,
  NetworkInterface,
  NetworkSnapshot,
  RoutingRule,
} from "../snapshot.ts";

// Few names, numbers and addresses: two snapshots must often share them.
const ADDRESSES: readonly (readonly [string, InterfaceAddress["scope"]])[] = [
  ["10.0.0.2", "global"],
  ["10.0.0.3", "global"],
  ["169.254.1.1", "link"],
  ["2001:db8::2", "global"],
  ["fe80::2", "link"],
];
const NAMES = ["eth0", "eth1", "wlan0"];

const address: fc.Arbitrary<InterfaceAddress> = fc.record({
  which: fc.constantFrom(...ADDRESSES),
  prefix: fc.constantFrom(24, 32),
  tentative: fc.boolean(),
  deprecated: fc.boolean(),
  temporary: fc.boolean(),
}).map(({ which: [text, scope], ...rest }) => ({
  family: text.includes(":") ? "IPv6" : "IPv4",
  address: text,
  scope,
  ...rest,
}));

const link: fc.Arbitrary<NetworkInterface> = fc.record({
  index: fc.integer({ min: 1, max: 3 }),
  name: fc.constantFrom(...NAMES),
  up: fc.boolean(),
  carrier: fc.boolean(),
  mtu: fc.constantFrom(1400, 1500),
  kind: fc.constantFrom("veth", "ether"),
  addresses: fc.array(address, { maxLength: 4 }),
}).map(({ carrier, ...rest }) => rest.up ? { ...rest, carrier } : rest);

const route: fc.Arbitrary<DefaultRoute> = fc.record({
  family: fc.constantFrom("IPv4", "IPv6"),
  type: fc.constantFrom("unicast", "unicast", "blackhole"),
  gateway: fc.constantFrom("10.0.0.1", "10.0.0.9", undefined),
  interface: fc.constantFrom(...NAMES),
  metric: fc.constantFrom(0, 100),
  table: fc.constantFrom("main", "100"),
}).map(({ gateway, ...rest }) => gateway ? { ...rest, gateway } : rest);

const rule: fc.Arbitrary<RoutingRule> = fc.record({
  family: fc.constant("IPv4"),
  priority: fc.constantFrom(0, 5),
  match: fc.constantFrom("", "src 10.0.0.2"),
  action: fc.constantFrom("table main", "table 100"),
});

/** Any snapshot of a system that sees everything. */
export const anySnapshot: fc.Arbitrary<NetworkSnapshot> = fc.record({
  interfaces: fc.uniqueArray(link, {
    maxLength: 3,
    comparator: (a, b) => a.name === b.name || a.index === b.index,
  }),
  defaultRoutes: fc.array(route, { maxLength: 4 }),
  rules: fc.array(rule, { maxLength: 2 }),
}).map((parts) => assemble({ ...parts, links: true, sources: ["ip"] }));
