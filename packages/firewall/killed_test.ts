import { assert, assertEquals } from "@std/assert";
import { soaking, testWith } from "@holdfast/testkit";
import { inNetns } from "./testdata/namespaces.ts";
import { BACKENDS } from "./testdata/managers.ts";

for (const backend of BACKENDS) {
  testWith({
    name:
      `${backend}: killed at any point, nothing is left that is not promised`,
    needs: [
      ...["netns", "nft", "iptables"] as const,
      ...(backend === "ufw" ? ["ufw" as const] : []),
      ...(backend.startsWith("firewalld")
        ? ["firewalld" as const, "dbus-daemon" as const]
        : []),
    ],
    fn: async () => {
      // A soak run kills before and after each single call of a tool.
      const quick = backend === "nft" ? "40" : "10";
      const [result] = await inNetns(
        ...["killed.ts", backend, soaking() ? "1000" : quick] as const,
      ) as [Record<string, number | string>];
      assertEquals(result!.backend, backend);
      // It is no proof unless something was left that had to be found.
      const { killed, left } = result as Record<string, number>;
      assert(killed! >= 5 && left! >= 1, JSON.stringify(result));
    },
  });
}
