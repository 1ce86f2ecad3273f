import { assert, assertEquals, assertMatch } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { runLocal } from "./_run_local.ts";
import { checkAccess } from "./check_access.ts";
import { inspectFirewall } from "./inspect_firewall.ts";
import type { Runner } from "./runner.ts";

/** Runs a script as root of a network namespace of its own. */
async function inNetns(script: string, ...args: string[]): Promise<unknown[]> {
  const path = new URL(`./testdata/${script}`, import.meta.url).pathname;
  const { success, stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      "-Urn",
      Deno.execPath(),
      "run",
      "--quiet",
      "--allow-all",
      path,
      ...args,
    ],
  }).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  return decoder.decode(stdout).trim().split("\n").map((l) => JSON.parse(l));
}

testWith({
  name: "verdicts and plans are the kernel's, on random rulesets",
  needs: ["netns", "nft"],
  fn: async () => {
    // The seed is fixed, so that a failure comes back; it stands in the error.
    const [counts] = await inNetns("against_kernel.ts", "20260101", "16") as [
      Record<string, number>,
    ];
    const { rulesets, open, blocked, unknown, planned } = counts!;
    assert(rulesets! >= 10, JSON.stringify(counts));
    // It is no proof unless both happen, and almost never "unknown".
    assert(
      open! >= 5 && blocked! >= 5 && planned! >= 2,
      JSON.stringify(counts),
    );
    assert(unknown! <= (open! + blocked!) / 10, JSON.stringify(counts));
  },
});

testWith({
  name: "a plan really opens the port, in the language of each owner",
  needs: ["netns", "nft", "iptables"],
  fn: async () => {
    const rounds = await inNetns("in_netns.ts") as Record<string, unknown>[];
    const common = {
      probes: [false, false, true],
      after: "would-open",
      checked: "open",
      again: "nothing-to-do",
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
          // It asks for the state of the connection, which nft does not show
          // of a rule of iptables: open in truth, unknown to us.
          checked: "unknown",
          again: "refused",
          tools: ["iptables-nft", "iptables-nft"],
          added: 2,
          active: ["iptables-nft"],
        },
        {
          name: "iptables-nft, the policy",
          ...common,
          tools: ["ip6tables-nft"],
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

testWith({
  name: "ufw understands the plan for it",
  needs: ["netns", "ufw"],
  fn: async () => {
    const { ufwStep } = await import("./_steps.ts");
    const { checkRequest } = await import("./_request.ts");
    const { concerned } = await import("./testdata/ufw_tuples.ts");
    for (
      const request of [
        { port: 8080 },
        { port: 53, protocol: "udp", source: "fd00::/8" },
        { port: 8080, source: "10.0.0.0/8", interface: "eth0" },
      ] as const
    ) {
      const asked = checkRequest(request);
      const [tool, ...args] = ufwStep(asked, "app:1").argv;
      const { success, stdout, stderr } = await new Deno.Command("unshare", {
        args: ["-Urnm", tool!, "--dry-run", ...args],
        env: { LC_ALL: "C" },
      }).output();
      const decoder = new TextDecoder();
      assert(success, decoder.decode(stderr));
      // And what ufw would write is what we read back as concerning the port.
      assert(concerned(decoder.decode(stdout), asked));
    }
  },
});
