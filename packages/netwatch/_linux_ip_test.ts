import { assert, assertEquals } from "@std/assert";
import { assemble } from "./_assemble.ts";
import { parseIpBatch } from "./_linux_ip.ts";
import { recorded } from "./testdata/recorded.ts";

const many = assemble(parseIpBatch(recorded("linux_many.jsonl"))!.parts);

Deno.test("parseIpBatch() tells up, carrier, kind and index of interfaces", () => {
  const rows = many.interfaces.map(({ name, up, carrier, kind }) => ({
    name,
    up,
    carrier,
    kind,
  }));
  assertEquals(rows.find(({ name }) => name === "vA0"), {
    name: "vA0",
    up: true,
    carrier: true,
    kind: "veth",
  });
  assertEquals(rows.find(({ name }) => name === "vA1")?.carrier, false);
  assertEquals(rows.find(({ name }) => name === "vB1"), {
    name: "vB1",
    up: false,
    carrier: undefined,
    kind: "veth",
  });
  assertEquals(many.interfaces[0]?.index, 1);
});

Deno.test("parseIpBatch() tells tentative, deprecated and link-local addresses", () => {
  const own = many.interfaces.find(({ name }) => name === "vA0")!.addresses;
  const flags = (text: string) => {
    const { tentative, deprecated, scope } = own.find(({ address }) =>
      address === text
    )!;
    return { tentative, deprecated, scope };
  };
  const good = { tentative: false, deprecated: false, scope: "global" };
  assertEquals(flags("10.77.0.2"), good as ReturnType<typeof flags>);
  assertEquals(flags("169.254.3.3").scope, "link");
  assertEquals(flags("2001:db8:77::e").tentative, true);
  assertEquals(flags("2001:db8:77::d").deprecated, true);
});

Deno.test("parseIpBatch() tells each default route of each table and family", () => {
  const texts = many.defaultRoutes.map((route) =>
    `${route.family} ${route.type} ${route.gateway} ${route.interface} ${route.metric} ${route.table}`
  ).sort();
  assertEquals(texts, [
    "IPv4 blackhole undefined undefined 4000 main",
    "IPv4 unicast 10.77.0.1 vA0 0 main",
    "IPv4 unicast 10.77.0.1 vA0 500 main",
    "IPv4 unicast 10.77.0.7 vA0 0 100",
    "IPv4 unicast 10.77.0.9 vA0 70 main",
    "IPv4 unicast 10.78.0.1 vA1 500 main",
    "IPv4 unicast fe80::2 vA0 701 main",
    "IPv4 unicast undefined vA1 60 main",
    "IPv4 unreachable undefined undefined 0 200",
    "IPv6 unicast 2001:db8:77::1 vA0 1024 main",
    "IPv6 unicast fe80::1 vA0 700 main",
    "IPv6 unreachable undefined lo 9000 main",
  ]);
});

Deno.test("parseIpBatch() takes the effective default from the kernel", () => {
  assertEquals(many.effective, {
    IPv4: { family: "IPv4", interface: "vA0", gateway: "10.77.0.1" },
    IPv6: { family: "IPv6", interface: "vA0", gateway: "fe80::1" },
  });
  assertEquals(many.online, true);
  assertEquals(many.sees, ["addresses", "links", "routes", "rules"]);
});

Deno.test("parseIpBatch() tells rules by what they match", () => {
  assertEquals(
    many.rules.map(({ priority, match, action }) => [priority, match, action])
      .sort(([a], [b]) => Number(a) - Number(b)),
    [
      [0, "", "table local"],
      [
        5,
        "dst 10.0.0.0 dstlen 8 fwmark 0x7 iif lo src 10.77.0.2",
        "table 100",
      ],
      [7, "src 1.2.3.4", "blackhole"],
      [8, "not src 1.2.3.0 srclen 24 suppress_prefixlen 0", "table main"],
      [32766, "", "table main"],
      [32767, "", "table default"],
    ],
  );
});

Deno.test("parseIpBatch() finds no default where there is none", () => {
  const none = assemble(parseIpBatch(recorded("linux_none.jsonl"))!.parts);
  assertEquals(none.defaultRoutes, []);
  assertEquals(none.effective, {});
  assertEquals(none.online, false);
  assertEquals(none.rules.length, 6);
});

Deno.test("parseIpBatch() does not take a failed route list for no routes", () => {
  const lines = recorded("linux_many.jsonl").split("\n");
  const without = assemble(
    parseIpBatch([lines[0], ...lines.slice(2)].join("\n"))!.parts,
  );
  assert(!without.sees.includes("routes"));
  assertEquals(without.online, undefined);
  assertEquals(without.rules, many.rules);
  const broken = [lines[0], lines[1]!.slice(0, 99), lines[2]].join("\n");
  assert(!assemble(parseIpBatch(broken)!.parts).sees.includes("routes"));
});

Deno.test("parseIpBatch() reads the shorter rows of ip without details", () => {
  const { parts } = parseIpBatch(
    `[{"ifindex":2,"ifname":"vA0","flags":["UP"]},{}]
[{},{"dst":"default","gateway":"10.77.0.1","dev":"vA0","flags":[]}]
[]
`,
  )!;
  assertEquals(parts.defaultRoutes, [{
    family: "IPv4",
    type: "unicast",
    gateway: "10.77.0.1",
    interface: "vA0",
    metric: 0,
    table: "main",
  }]);
  assertEquals(parts.rules, []);
});

Deno.test("parseIpBatch() refuses what is not the output of ip", () => {
  for (const text of ["", "[]", "{}", "null", "BusyBox v1.36.1", "[1]\n[2]"]) {
    assertEquals(parseIpBatch(text), undefined);
  }
});
