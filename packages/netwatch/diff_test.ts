import { assertEquals } from "@std/assert";
import { diffSnapshots } from "./diff.ts";
import { address, link, snapshot } from "./testdata/snapshots.ts";
import type { NetworkInterface, NetworkSnapshot } from "./snapshot.ts";

const lo = link("lo", 1, "127.0.0.1");
const eth0 = link("eth0", 2, "10.0.0.2");
const home = snapshot([lo, eth0], "10.0.0.1");

function told(before: NetworkSnapshot, after: NetworkSnapshot): string[] {
  return diffSnapshots(before, after).map(({ type, reason }) =>
    `${type} (${reason})`
  );
}

/** An interface that is switched off: the carrier is not known then. */
function off({ carrier: _, ...entry }: NetworkInterface): NetworkInterface {
  return { ...entry, up: false };
}

Deno.test("diffSnapshots() tells losses first and offline last", () => {
  assertEquals(told(home, snapshot([lo])), [
    "address-removed (interface-removed)",
    "interface-removed (disappeared)",
    "route-changed (route-removed)",
    "gateway-changed (interface-removed)",
    "default-interface-changed (interface-removed)",
    "offline (no-route)",
  ]);
  assertEquals(told(snapshot([lo]), home), [
    "interface-added (appeared)",
    "address-added (interface-added)",
    "route-changed (route-added)",
    "gateway-changed (gained)",
    "default-interface-changed (gained)",
    "online (usable)",
  ]);
});

Deno.test("diffSnapshots() tells a gateway on the same interface", () => {
  const after = snapshot([lo, eth0], "10.0.0.9");
  const events = diffSnapshots(home, after);
  assertEquals(events.map(({ type }) => type), [
    "route-changed",
    "gateway-changed",
  ]);
  const [routes, gateway] = events;
  assertEquals(
    routes?.type === "route-changed" && routes.before,
    home.defaultRoutes,
  );
  assertEquals(
    gateway?.type === "gateway-changed" && gateway.after?.gateway,
    "10.0.0.9",
  );
});

Deno.test("diffSnapshots() tells an interface that went down once, with its route", () => {
  assertEquals(told(home, snapshot([lo, off(eth0)])), [
    "interface-down (switched-off)",
    "route-changed (route-removed)",
    "gateway-changed (interface-down)",
    "default-interface-changed (interface-down)",
    "offline (no-route)",
  ]);
  const unplugged = snapshot([lo, { ...eth0, carrier: false }], "10.0.0.1");
  assertEquals(told(home, unplugged), [
    "carrier-lost (no-carrier)",
    "offline (no-link)",
  ]);
});

Deno.test("diffSnapshots() tells a re-created interface of the same name", () => {
  assertEquals(
    told(home, snapshot([lo, { ...eth0, index: 7 }], "10.0.0.1")),
    [
      "address-removed (interface-removed)",
      "interface-removed (disappeared)",
      "interface-added (appeared)",
      "address-added (interface-added)",
    ],
  );
  assertEquals(
    told(snapshot([lo, eth0]), snapshot([lo, { ...eth0, name: "lan" }])),
    [
      "address-removed (interface-removed)",
      "interface-removed (renamed)",
      "interface-added (renamed)",
      "address-added (interface-added)",
    ],
  );
});

Deno.test("diffSnapshots() tells MTU, address flags, tables and rules", () => {
  const after = snapshot(
    [lo, {
      ...eth0,
      mtu: 1400,
      addresses: [{ ...address("10.0.0.2"), deprecated: true }],
    }],
    "10.0.0.1",
    {
      defaultRoutes: [...home.defaultRoutes, {
        family: "IPv4",
        type: "unicast",
        gateway: "10.0.0.7",
        interface: "eth0",
        metric: 0,
        table: "100",
      }],
      rules: [{
        family: "IPv4",
        priority: 5,
        match: "src 10.0.0.2",
        action: "table 100",
      }],
    },
  );
  assertEquals(told(home, after), [
    "interface-changed (mtu)",
    "address-changed (deprecated)",
    "route-changed (route-added)",
    "route-changed (rule-added)",
  ]);
});

Deno.test("diffSnapshots() does not take what is not seen for what is not there", () => {
  const blind = snapshot(
    [{ name: "eth0", addresses: [address("10.0.0.3")] }],
    undefined,
    { links: false, defaultRoutes: undefined, rules: undefined },
  );
  assertEquals(blind.sees, ["addresses"]);
  assertEquals(told(home, blind), [
    "address-removed (removed)",
    "address-removed (removed)",
    "address-added (assigned)",
  ]);
});

Deno.test("online needs a route, a link, and a usable address", () => {
  assertEquals(home.online, true);
  const lacking = (entry: NetworkInterface) =>
    told(home, snapshot([lo, entry], "10.0.0.1")).at(-1);
  assertEquals(
    lacking({ ...eth0, carrier: false }),
    "offline (no-link)",
  );
  assertEquals(lacking({ ...eth0, addresses: [] }), "offline (no-address)");
  assertEquals(
    lacking({
      ...eth0,
      addresses: [{ ...address("10.0.0.2"), tentative: true }],
    }),
    "offline (no-address)",
  );
  assertEquals(
    lacking({
      ...eth0,
      addresses: [{ ...address("169.254.0.2"), scope: "link" }],
    }),
    "offline (no-address)",
  );
});
