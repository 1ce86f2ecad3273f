import { assertEquals } from "@std/assert";
import { runs } from "@holdfast/testkit";
import fc from "fast-check";
import { assemble } from "./_assemble.ts";
import { type IpTexts, parseIpText } from "./_linux_text.ts";

const NOTHING = { IPv4: "", IPv6: "" };
const LINKS = String
  .raw`1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue qlen 1000\    link/loopback 00:00:00:00:00:00
2: vB@vA: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue qlen 1000\    link/ether 86:fc:54:f6:7c:ea
3: vA@vB: <NO-CARRIER,BROADCAST,MULTICAST,UP,M-DOWN> mtu 1500 qdisc noqueue\    link/ether ce:b7:4b:5d:1b:3a
`;
// Of BusyBox 1.35, and what iproute2 6.1 says otherwise in the same place.
const BUSYBOX: IpTexts = {
  links: LINKS,
  addresses: String
    .raw`1: lo    inet 127.0.0.1/8 scope host lo\       valid_lft forever preferred_lft forever
3: vA    inet 10.1.0.2/24 scope global vA\       valid_lft forever preferred_lft forever
3: vA    inet6 2001:db8::2/64 scope global flags 02 \       valid_lft forever preferred_lft forever
3: vA    inet6 fe80::ccb7:4bff:fe5d:1b3a/64 scope link tentative \       valid_lft forever
`,
  routes: {
    IPv4: `default via 10.1.0.7 dev vA table 100\x20
default via 10.1.0.1 dev vA\x20
default via 10.1.0.9 dev vA  metric 50\x20
default  metric 70\x20
blackhole default  metric 4000\x20
10.1.0.0/24 dev vA scope link  src 10.1.0.2\x20
`,
    IPv6: "default via 2001:db8::1 dev vA  metric 1024 \n",
  },
  rules: {
    IPv4: `0:\tfrom all lookup local\x20
50:\tfrom 10.1.0.2 lookup 100\x20
32766:\tfrom all lookup main\x20
`,
    IPv6: "0:\tfrom all lookup local \n",
  },
  effective: {
    IPv4: "192.31.196.1 via 10.1.0.1 dev vA  src 10.1.0.2 \n",
    IPv6: "",
  },
};

Deno.test("the words of BusyBox tell links, addresses, routes, rules and the way out", () => {
  const snapshot = assemble(parseIpText(BUSYBOX)!);
  const links = snapshot.interfaces.map((
    { name, index, up, carrier, mtu },
  ) => [name, index, up, carrier, mtu]);
  assertEquals(links, [
    ["lo", 1, true, true, 65536],
    ["vB", 2, false, undefined, 1500],
    ["vA", 3, true, false, 1500],
  ]);
  assertEquals(
    snapshot.interfaces[2]!.addresses.map((
      one,
    ) => [one.address, one.prefix, one.scope, one.tentative]),
    [
      ["10.1.0.2", 24, "global", false],
      ["2001:db8::2", 64, "global", false],
      ["fe80::ccb7:4bff:fe5d:1b3a", 64, "link", true],
    ],
  );
  const routes = snapshot.defaultRoutes.map((one) =>
    `${one.family} ${one.type} ${one.gateway} ${one.metric} ${one.table}`
  ).sort();
  assertEquals(routes, [
    "IPv4 blackhole undefined 4000 main",
    "IPv4 unicast 10.1.0.1 0 main",
    "IPv4 unicast 10.1.0.7 0 100",
    "IPv4 unicast 10.1.0.9 50 main",
    "IPv4 unicast undefined 70 main",
    "IPv6 unicast 2001:db8::1 1024 main",
  ]);
  assertEquals(
    snapshot.rules.map(({ family, priority, match, action }) =>
      [family, priority, match, action].join(" ")
    ).sort(),
    [
      "IPv4 0  table local",
      "IPv4 32766  table main",
      "IPv4 50 src 10.1.0.2 table 100",
      "IPv6 0  table local",
    ],
  );
  assertEquals(snapshot.effective, {
    IPv4: { family: "IPv4", interface: "vA", gateway: "10.1.0.1" },
  });
});

Deno.test("the hops of a multipath route, where they are told", () => {
  const IPv4 = "default metric 70 linkdown \\\tnexthop via 10.1.0.1 dev vA " +
    "weight 1 linkdown \\\tnexthop via 10.1.0.5 dev vA weight 2 linkdown \n";
  const parts = parseIpText({ ...BUSYBOX, routes: { IPv4, IPv6: "" } });
  assertEquals(
    parts?.defaultRoutes?.map((
      { gateway, weight, metric },
    ) => [gateway, weight, metric]),
    [["10.1.0.1", 1, 70], ["10.1.0.5", 2, 70]],
  );
});

Deno.test("any text is no output, or an output without an invented gateway", () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(
      ...[
        "default",
        "via",
        "dev",
        "vA",
        " ",
        "\n",
        "\\",
        "nexthop ",
        "10.1.0.1",
      ],
      ...["metric", "9", "table", "fe80::1", "lookup", ":", "0:", "inet6", "/"],
    ),
  );
  const text = fc.array(piece, { maxLength: 20 }).map((all) => all.join(""));
  const both = fc.record({ IPv4: text, IPv6: text });
  fc.assert(
    fc.property(text, both, both, both, (words, routes, rules, effective) => {
      const texts = {
        links: words,
        addresses: words,
        routes,
        rules,
        effective,
      };
      parseIpText(texts);
      const parts = parseIpText({ ...texts, links: LINKS })!;
      const snapshot = assemble(parts);
      for (const { gateway } of snapshot.defaultRoutes) {
        if (gateway === undefined) continue;
        const all = routes.IPv4 + routes.IPv6;
        assertEquals(all.includes(gateway.split("%")[0]!), true, gateway);
      }
    }),
    { numRuns: runs(500) },
  );
  assertEquals(
    parseIpText({
      links: "",
      addresses: "",
      routes: NOTHING,
      rules: NOTHING,
      effective: NOTHING,
    }),
    undefined,
  );
});
