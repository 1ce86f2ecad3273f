import { assert } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { inNetns } from "./testdata/namespaces.ts";

testWith({
  name: "10 000 hostile names, ranges and comments: none runs, all survive",
  needs: ["netns", "nft", "iptables"],
  fn: async () => {
    const [counts] = await inNetns(
      ...["hostile.ts", "20260101", "10000"] as const,
    ) as [Record<string, number>];
    const { tried, refused, accepted, loaded, comments } = counts!;
    const text = JSON.stringify(counts);
    assert(tried === 10_000 && refused! + accepted! === tried, text);
    // It is no proof unless some go in.
    assert(accepted! > 300 && loaded! > 200 && comments! === 200, text);
  },
});

testWith({
  name: "rights are asked for once, and nothing is quoted wrongly on the way",
  needs: ["netns", "nft"],
  fn: async () => {
    const [result] = await inNetns("elevated.ts");
    assert(JSON.stringify(result) === '{"prompts":1}', JSON.stringify(result));
  },
});
