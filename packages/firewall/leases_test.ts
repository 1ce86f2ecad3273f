import { assertEquals } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { BACKENDS } from "./testdata/managers.ts";
import { inNetns } from "./testdata/namespaces.ts";

testWith({
  name:
    "a lease is renewed, put back after a flush, found by its tag, and ended by the kernel",
  needs: [
    ...["netns", "nft", "iptables", "ufw"] as const,
    ...["firewalld", "dbus-daemon", "conntrack"] as const,
  ],
  fn: async () => {
    // Side by side: most of the time goes by in waiting for the kernel.
    const results = await Promise.all(BACKENDS.map(async (backend) => {
      const [result] = await inNetns("leases.ts", backend);
      return result;
    }));
    assertEquals(
      results,
      BACKENDS.map((backend) => ({
        backend,
        types: ["renewed", "flushed-by-other", "opened", "reverted"],
        again: "firewall/plan-stale",
        // ufw knows no time: the next program of Holdfast closes it.
        closes: backend === "ufw" ? "no" : true,
        orphans: backend === "ufw" ? 0 : 1,
        status: "blocked-by",
      })),
    );
  },
});
