import { assert, assertEquals } from "@std/assert";
import { soaking, testWith } from "@holdfast/testkit";
import { inNetnsAll } from "./testdata/namespaces.ts";
import { BACKENDS } from "./testdata/managers.ts";

testWith({
  name: "killed at any point, nothing is left that is not promised",
  needs: [
    ...["netns", "nft", "iptables", "ufw"] as const,
    ...["firewalld", "dbus-daemon"] as const,
  ],
  fn: async () => {
    // A soak run kills before and after each single call of a tool.
    const results = await inNetnsAll(BACKENDS.map((backend) => {
      const quick = backend === "nft" ? "16" : "7";
      return ["killed.ts", backend, soaking() ? "1000" : quick];
    }));
    for (const [i, backend] of BACKENDS.entries()) {
      const [result] = results[i] as [Record<string, number | string>];
      assertEquals(result.backend, backend);
      // It is no proof unless something was left that had to be found.
      const { killed, left } = result as Record<string, number>;
      assert(killed! >= 5 && left! >= 1, JSON.stringify(result));
    }
  },
});
