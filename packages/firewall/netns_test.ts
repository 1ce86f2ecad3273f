import { assert, assertEquals, assertMatch } from "@std/assert";
import { runs, testWith } from "@holdfast/testkit";
import { runLocal } from "./_run_local.ts";
import { checkAccess } from "./check_access.ts";
import { inspectFirewall } from "./inspect_firewall.ts";
import type { Runner } from "./runner.ts";
import { inNetns, inNetnsAll } from "./testdata/namespaces.ts";

testWith({
  name: "verdicts and plans are the kernel's, on random rulesets",
  needs: ["netns", "nft", "iptables"],
  fn: async () => {
    // The seed is fixed, so that a failure comes back; it stands in the error.
    const total = runs(300, 20_000);
    const batch = total / (total > 300 ? 40 : 3);
    const sum: Record<string, number> = {};
    const results = await inNetnsAll(
      Array.from({ length: total / batch }, (_, i) => [
        ...["against_kernel.ts", String(20260101 + i), String(batch)] as const,
      ]),
    );
    for (const [counts] of results as [Record<string, number>][]) {
      for (const [name, n] of Object.entries(counts)) {
        sum[name] = (sum[name] ?? 0) + n;
      }
    }
    const text = JSON.stringify(sum);
    const { rulesets, open, blocked, unknown, planned } = sum;
    // It is no proof unless both happen, and almost never "unknown".
    assert(rulesets! >= total / 2, text);
    assert(open! >= total / 2 && blocked! >= total / 2, text);
    assert(planned! >= total / 10, text);
    assert(unknown! <= (open! + blocked!) / 10, text);
  },
});

testWith({
  name: "a plan really opens the port, in the language of each owner",
  needs: ["netns", "nft", "iptables"],
  fn: async () => {
    const all = await inNetns("in_netns.ts") as Record<string, unknown>[];
    const rounds = all.slice(0, 4);
    assertEquals(
      all.slice(4),
      ["nft", "legacy"].map((kind) => ({
        name: `without nft: iptables-${kind}`,
        // It works, and nobody can promise that nothing else is there.
        said: ["blocked-by", "ready", true, "unknown", false],
      })),
    );
    const common = {
      probes: [false, false, true],
      after: "would-open",
      checked: "open",
      // Another lease needs rules of its own.
      again: "ready",
      tagged: true,
    };
    assertEquals(
      rounds,
      [
        {
          name: "two tables, policy and rule, and answers dropped",
          ...common,
          tools: ["nft"],
          added: 3,
          active: ["nftables"],
        },
        {
          name: "both families by one rule",
          ...common,
          tools: ["nft"],
          added: 1,
          active: ["nftables"],
        },
        {
          name: "iptables-nft, a rule and the answers",
          ...common,
          tools: ["iptables-nft-restore"],
          added: 2,
          active: ["iptables-nft"],
        },
        {
          name: "iptables-nft, the policy",
          ...common,
          tools: ["ip6tables-nft-restore"],
          added: 1,
          active: ["iptables-nft"],
        },
      ].map(sortKeys),
    );
    function sortKeys(round: Record<string, unknown>) {
      return Object.fromEntries(
        Object.keys(rounds[0]!).map((key) => [key, round[key]]),
      );
    }
  },
});

testWith({
  name: "without rights the verdict is unknown, with the command that tells",
  needs: ["nft", "unshare"],
  fn: async () => {
    // The real tools, as a user without rights.
    const nobody = "--reuid=65534 --regid=65534 --clear-groups".split(" ");
    const asNobody: Runner = async ({ tool, args }, options) =>
      await runLocal(
        Deno.uid() === 0
          ? { tool: "setpriv", args: [...nobody, tool, ...args] }
          : { tool, args },
        options,
      );
    const outcome = await checkAccess({ port: 8080 }, { run: asNobody });
    assertEquals(outcome.status, "unknown");
    assertMatch(outcome.why, /CAP_NET_ADMIN/);
    assert(outcome.status === "unknown" && outcome.command !== undefined);
    const report = await inspectFirewall({ run: asNobody });
    assertEquals(report.rights, false);
    for (const layer of report.layers.slice(0, 2)) {
      assertEquals(layer.status, "unknown");
    }
  },
});
