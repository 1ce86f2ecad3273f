import { assertEquals } from "@std/assert";
import { runs, testWith } from "@holdfast/testkit";
import { BACKENDS } from "./testdata/managers.ts";
import { inNetnsAll } from "./testdata/namespaces.ts";

testWith({
  name: "random deeds of a user and two programs are reverted exactly",
  needs: [
    ...["netns", "nft", "iptables", "ufw"] as const,
    ...["firewalld", "dbus-daemon"] as const,
  ],
  fn: async () => {
    // Managers take a quarter of a second for each word.
    const totals = BACKENDS.map((backend) =>
      backend === "nft"
        ? runs(20, 1000)
        : backend.startsWith("iptables")
        ? runs(8, 1000)
        : runs(1, 150)
    );
    const results = await inNetnsAll(
      BACKENDS.map((backend, i) => [
        ...["sequences.ts", backend, "20260102"] as const,
        String(totals[i]),
      ]),
    );
    assertEquals(
      results.map(([result]) => {
        const { sequences, inexact } = result as Record<string, unknown>;
        return { sequences, inexact };
      }),
      totals.map((sequences) => ({ sequences, inexact: 0 })),
    );
  },
});
