import { assertEquals } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { inNetns } from "./testdata/namespaces.ts";

testWith({
  name: "a plan is rehearsed on a copy, which finds what no evaluator sees",
  needs: ["netns", "nft", "iptables"],
  fn: async () => {
    const [result] = await inNetns("twin.ts");
    const kinds = ["nft", "iptables-nft", "iptables-legacy"];
    assertEquals(result, {
      seen: kinds.flatMap((kind) => Array(3).fill(`${kind} passed`)),
    });
  },
});
