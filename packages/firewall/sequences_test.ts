import { assertEquals } from "@std/assert";
import { runs, testWith } from "@holdfast/testkit";
import { BACKENDS } from "./testdata/managers.ts";
import { inNetns } from "./testdata/namespaces.ts";

for (const backend of BACKENDS) {
  // Managers take a quarter of a second for each word.
  const slow = backend === "ufw" || backend.startsWith("firewalld");
  testWith({
    name:
      `${backend}: random deeds of a user and two programs, reverted exactly`,
    needs: [
      ...["netns", "nft", "iptables"] as const,
      ...(backend === "ufw" ? ["ufw" as const] : []),
      ...(backend.startsWith("firewalld")
        ? ["firewalld" as const, "dbus-daemon" as const]
        : []),
    ],
    fn: async () => {
      const total = slow ? runs(3, 150) : runs(20, 1000);
      const [result] = await inNetns(
        ...["sequences.ts", backend, "20260102", String(total)] as const,
      ) as [Record<string, unknown>];
      const { sequences, inexact } = result!;
      assertEquals({ sequences, inexact }, { sequences: total, inexact: 0 });
    },
  });
}
