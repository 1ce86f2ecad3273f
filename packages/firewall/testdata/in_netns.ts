// deno-lint-ignore-file no-console -- it answers by lines
// Runs in `unshare -Urn`: real rulesets of several owners, one after the other.
// The plan's commands are run as they are, and a real peer connects before and
// after. Prints one JSON line for each round.
import { runLocal } from "../_run_local.ts";
import {
  applyPlan,
  checkAccess,
  inspectFirewall,
  planAccess,
  type Runner,
} from "../mod.ts";
import { privateRun } from "./managers.ts";
import { Lab, LINK, OURS, PEERS, run } from "./lab.ts";

const PORT = 8080;
const SHORT_MS = 150;
const LONG_MS = 3000;

interface Round {
  readonly name: string;
  readonly setUp: readonly (readonly string[])[];
  readonly ruleset?: string;
  readonly request: Parameters<typeof planAccess>[0];
}

const ROUNDS: readonly Round[] = [
  {
    name: "two tables, policy and rule, and answers dropped",
    setUp: [],
    ruleset: `
      table inet one {
        chain in {
          type filter hook input priority 0; policy drop
          ct state established,related accept
        }
        chain out {
          type filter hook output priority 0; policy drop
          ct state established tcp sport 22 accept
        }
      }
      table ip two {
        chain sub {
          ip saddr 10.99.0.66 drop
          reject
        }
        chain in {
          type filter hook input priority 10; policy accept
          jump sub
        }
      }`,
    request: { port: PORT, source: PEERS.ipv4, interface: LINK },
  },
  {
    name: "both families by one rule",
    setUp: [],
    ruleset: `
      table inet one {
        chain in {
          type filter hook input priority 0; policy drop
        }
      }`,
    request: { port: PORT, interface: LINK },
  },
  {
    name: "iptables-nft, a rule and the answers",
    setUp: [
      ["iptables-nft", "-P", "OUTPUT", "DROP"],
      ["iptables-nft", "-A", "INPUT", "-i", "lo", "-j", "ACCEPT"],
      ["iptables-nft", "-A", "INPUT", "-s", "10.99.0.66", "-j", "DROP"],
      ["iptables-nft", "-A", "INPUT", "-j", "DROP"],
    ],
    request: { port: PORT, source: "10.99.0.0/24", interface: LINK },
  },
  {
    name: "iptables-nft, the policy",
    setUp: [["ip6tables-nft", "-P", "INPUT", "DROP"]],
    request: { port: PORT, family: "ipv6" },
  },
];

const rules = async () =>
  JSON.parse(await run(["nft", "-j", "list", "ruleset"])).nftables
    .filter((item: { rule?: unknown }) => item.rule).length as number;

await privateRun();
await using lab = await Lab.open([PORT]);
for (const { name, setUp, ruleset, request } of ROUNDS) {
  await run(["nft", "-f", "-"], `flush ruleset\n${ruleset ?? ""}`);
  for (const argv of setUp) await run(argv);
  const source = request.source ?? request.family;
  const host = source === "ipv6" || source?.includes(":")
    ? OURS.ipv6
    : OURS.ipv4;
  const before = await lab.probe([[host, PORT, SHORT_MS]]);
  const plan = await planAccess(request, { tag: "app:test.1" });
  const count = await rules();
  // Planning changes nothing.
  const stillBefore = await lab.probe([[host, PORT, SHORT_MS]]);
  const steps = plan.status === "ready" ? plan.steps : [];
  for (const { argv, stdin } of steps) await run(argv, stdin);
  const after = await lab.probe([[host, PORT, LONG_MS]]);
  const again = await planAccess(request);
  console.log(JSON.stringify({
    name,
    probes: [...before, ...stillBefore, ...after],
    tools: steps.map(({ argv }) => argv[0]),
    added: await rules() - count,
    after: plan.status === "ready" ? plan.after.status : plan,
    checked: (await checkAccess(request)).status,
    again: again.status,
    tagged: (await run(["nft", "list", "ruleset"])).includes("app:test.1") ||
      (await run(["ip6tables-nft-save"]) + await run(["iptables-nft-save"]))
        .includes("app:test.1"),
    active: (await inspectFirewall()).layers
      .filter(({ status }) => status === "active").map(({ layer }) => layer),
  }));
}

/** Where nft is not installed, iptables shows its own rules, and no others. */
const blind: Runner = async (call, options) =>
  call.tool === "nft" ? { type: "absent" } : await runLocal(call, options);
for (const kind of ["nft", "legacy"]) {
  await run(["nft", "-f", "-"], "flush ruleset");
  await run(
    [`iptables-${kind}-restore`],
    "*filter\n:INPUT DROP\n-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\nCOMMIT\n",
  );
  const request = { port: PORT, family: "ipv4" } as const;
  const options = { run: blind, leaseSeconds: 600 };
  const before = await checkAccess(request, options);
  const plan = await planAccess(request, options);
  const lease = await applyPlan(plan, {
    ...{ consent: true, ledger: "/run/ledger", run: blind },
  });
  const [open] = await lab.probe([[OURS.ipv4, PORT, LONG_MS]]);
  const { status } = await checkAccess(request, options);
  await lease.revert();
  const [shut] = await lab.probe([[OURS.ipv4, PORT, SHORT_MS]]);
  const name = `without nft: iptables-${kind}`;
  const said = [before.status, plan.status, open, status, shut];
  console.log(JSON.stringify({ name, said }));
  await run([`iptables-${kind}-restore`], "*filter\n:INPUT ACCEPT\nCOMMIT\n");
}
