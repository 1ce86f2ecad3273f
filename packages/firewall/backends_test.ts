import { assertEquals } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { inNetnsAll } from "./testdata/namespaces.ts";
import type { Backend } from "./testdata/managers.ts";

/** The tool that the plan must use, and who is named as the layer. */
const EXPECTED: Readonly<
  Record<Backend, readonly [layer: string, tools: readonly string[]]>
> = {
  nft: ["nftables", ["nft"]],
  "iptables-nft": ["iptables-nft", [
    "iptables-nft-restore",
    "ip6tables-nft-restore",
  ]],
  "iptables-legacy": ["iptables-legacy", [
    "iptables-legacy-restore",
    "ip6tables-legacy-restore",
  ]],
  ufw: ["ufw", ["ufw"]],
  "firewalld-nft": ["firewalld", ["busctl"]],
  "firewalld-iptables": ["firewalld", ["busctl"]],
};

testWith({
  name:
    "six real firewalls: blocked, planned, opened, shared, denied on purpose, reverted exactly",
  needs: [
    ...["netns", "nft", "iptables", "ufw"] as const,
    ...["firewalld", "dbus-daemon"] as const,
  ],
  fn: async () => {
    const backends = Object.keys(EXPECTED) as Backend[];
    const results = await inNetnsAll(
      backends.map((backend) => ["end_to_end.ts", backend]),
    );
    assertEquals(
      results.map(([result]) => result),
      backends.map((backend) => ({
        ...{
          backend,
          layer: EXPECTED[backend][0],
          tools: EXPECTED[backend][1],
        },
        changed: ["tcp ipv4 8080", "tcp ipv6 8080"],
      })),
    );
  },
});
