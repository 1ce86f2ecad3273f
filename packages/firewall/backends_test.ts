import { assertEquals } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { inNetns } from "./testdata/namespaces.ts";
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

for (const [backend, [layer, tools]] of Object.entries(EXPECTED)) {
  testWith({
    name:
      `${backend}: blocked, planned, opened, shared by two programs, reverted exactly`,
    needs: [
      ...["netns", "nft", "iptables"] as const,
      ...(backend === "ufw" ? ["ufw" as const] : []),
      ...(layer === "firewalld"
        ? ["firewalld" as const, "dbus-daemon" as const]
        : []),
    ],
    fn: async () => {
      const [result] = await inNetns("end_to_end.ts", backend);
      assertEquals(result, {
        ...{ backend, layer, tools },
        changed: ["tcp ipv4 8080", "tcp ipv6 8080"],
      });
    },
  });
}
