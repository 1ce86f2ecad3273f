// deno-lint-ignore-file no-console -- it answers by lines
// Runs in `unshare -Urnm`: hostile names, ranges and comments. None of them may
// be executed, and what is put into a firewall must survive what administrators
// do at boot: to save the rules, and to load them again. Arguments: seed, runs.
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { nftStep } from "../_steps.ts";
import { whyForbidden } from "../_guard_rules.ts";
import { checkRequest } from "../_request.ts";
import { runLocal } from "../_run_local.ts";
import { applyPlan, checkAccess, planAccess, type Runner } from "../mod.ts";
import { run } from "./lab.ts";
import { privateRun } from "./managers.ts";

const [seed = 1, runs = 10_000] = Deno.args.map(Number);
const SIGN = "/run/pwned";

/** What has worked on somebody once. */
const INJECTIONS = [
  `x"; add table inet pwned; #`,
  `x"; }; }; table inet pwned { chain c { } }; #`,
  `x\nCOMMIT\n*filter\n-F\n`,
  `a'; touch ${SIGN}; '`,
  `$(touch ${SIGN})`,
  "`touch " + SIGN + "`",
  `x | touch ${SIGN}`,
  `--policy=DROP`,
  `-j ACCEPT`,
  `eth0; reboot`,
  `10.0.0.0/8 -j ACCEPT`,
  `../../../../etc/passwd`,
  "\u0000",
  "\u001b[2J",
  `hf:x:abcdefgh`,
  `name=all`,
  `%n%s`,
];
const piece = fc.oneof(
  fc.constantFrom(...INJECTIONS),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 120 }),
  fc.stringMatching(/^[A-Za-z0-9._:-]{1,100}$/),
);
const hostile = fc.oneof(
  piece,
  fc.tuple(piece, piece).map((pieces) => pieces.join("")),
);
const fieldNames = ["tag", "interface", "source", "address"] as const;

await privateRun();
await run("ip link set lo up".split(" "));
const HOST = `table inet host {
  chain in {
    type filter hook input priority 0; policy drop
    tcp dport 22 accept
  }
}
`;
await run(["nft", "-f", "-"], HOST);
const answers = new Map<string, ReturnType<Runner>>();
const recorded: Runner = (call, options) => {
  const key = JSON.stringify(call);
  const answer = answers.get(key) ?? runLocal(call, options);
  answers.set(key, answer);
  return answer;
};

/** 1: each is refused in one sentence, or goes in as it is, harmless. */
const tags = new Set<string>();
const counts = { tried: 0, refused: 0, accepted: 0, loaded: 0, comments: 0 };
const samples = fc.sample(
  fc.tuple(fc.constantFrom(...fieldNames), hostile),
  { seed, numRuns: runs },
);
for (const [name, text] of samples) {
  counts.tried++;
  const { tag, ...request } = { port: 80, [name]: text } as {
    port: number;
    tag?: string;
  };
  try {
    const plan = await planAccess(request, { tag, run: recorded });
    assert(plan.status === "ready", JSON.stringify(plan));
    assertEquals(plan.steps.map(whyForbidden), [undefined]);
    const stdin = plan.steps[0]?.stdin ?? "";
    JSON.parse(stdin);
    // deno-lint-ignore no-control-regex -- that is what is looked for
    assert(!/[\u0000-\u001f\u007f]|\\[nu]|pwned"|;/.test(stdin), stdin);
    counts.accepted++;
    if (tag !== undefined) tags.add(plan.mark!);
  } catch (error) {
    const known = error instanceof TypeError || error instanceof RangeError;
    assert(known, String(error));
    assert(!error.message.includes("\n"), error.message);
    counts.refused++;
  }
}

/** 2: what was accepted is saved, and loaded again. */
const chain = {
  ...{ family: "inet", table: "host", name: "in", hook: "input" },
  ...{ type: "filter", priority: 0, policy: "drop", rules: [] },
} as const;
const changes = [...tags].map((mark) => ({
  rule: { handle: undefined, expr: [] },
  commands: [{
    add: {
      rule: {
        ...{ family: chain.family, table: chain.table, chain: chain.name },
        ...{ expr: [{ accept: null }], comment: mark },
      },
    },
  }],
}));
const asked = checkRequest({ port: 80, family: "ipv4" });
const { argv, stdin } = nftStep(changes, [], asked);
await run(argv, stdin);
const saved = await run(["nft", "-s", "list", "ruleset"]);
for (const mark of tags) assert(saved.includes(`"${mark}"`), mark);
await run(["nft", "-f", "-"], `flush ruleset\n${saved}`);
assertEquals(await run(["nft", "-s", "list", "ruleset"]), saved);
// So many at once: a message to the kernel has a greatest length there.
const FEW = 100;
const batches = Array.from(
  { length: Math.ceil(tags.size / FEW) },
  (_, i) => [...tags].slice(FEW * i, FEW * (i + 1)),
);
for (const [i, batch] of batches.entries()) {
  const kind = i % 2 === 0 ? "nft" : "legacy";
  const lines = batch.map((mark) =>
    `-A INPUT -p tcp -m tcp --dport 80 -m comment --comment ${mark} -j ACCEPT\n`
  );
  await run(
    [`iptables-${kind}-restore`, "--noflush", "-w", "5"],
    `*filter\n${lines.join("")}COMMIT\n`,
  );
  const text = await save(`iptables-${kind}-save`);
  for (const mark of batch) assert(text.includes(`"${mark}"`), mark);
  await run([`iptables-${kind}-restore`], text);
  assertEquals(await save(`iptables-${kind}-save`), text);
  counts.loaded += batch.length;
  await run([`iptables-${kind}-restore`], "*filter\n:INPUT ACCEPT\nCOMMIT\n");
}
await run("nft flush ruleset".split(" "));

/** 3: what others have written is read, left alone, and still there. */
await run(["nft", "-f", "-"], HOST);
const words = fc.string({
  unit: "grapheme-ascii",
  minLength: 1,
  maxLength: 90,
});
for (const comment of fc.sample(words, { seed, numRuns: runs / 50 })) {
  const rule = { family: "inet", table: "host", chain: "in", comment };
  const expr = [{ counter: null }];
  const command = { nftables: [{ add: { rule: { ...rule, expr } } }] };
  await run(["nft", "-j", "-f", "-"], JSON.stringify(command));
  const plain = !/^[-!]/.test(comment) && comment.trim() === comment;
  if (plain) {
    await run([
      ...["iptables-nft", "-A", "INPUT", "-p", "tcp", "--dport", "22"],
      ...["-m", "comment", "--comment", comment, "-j", "ACCEPT"],
    ]);
  }
  counts.comments++;
}
await run("iptables-nft -P INPUT DROP".split(" "));
const before = await everything();
assertEquals((await checkAccess({ port: 81 })).status, "blocked-by");
assertEquals((await checkAccess({ port: 22, family: "ipv4" })).status, "open");
const plan = await planAccess({ port: 81 }, { leaseSeconds: 600 });
assert(plan.status === "ready", JSON.stringify(plan));
const lease = await applyPlan(plan, { consent: true, ledger: "/run/ledger" });
assertEquals((await checkAccess({ port: 81 })).status, "open");
await lease.revert();
assertEquals(await everything(), before);

assert(!(await run(["nft", "list", "tables"])).includes("pwned"));
await Deno.stat(SIGN).then(() => assert(false, "it was executed"), () => {});
console.log(JSON.stringify(counts));

async function save(tool: string): Promise<string> {
  return (await run([tool])).replaceAll(/^#.*\n/gm, "")
    .replaceAll(/\[\d+:\d+\]/g, "[0:0]");
}

async function everything(): Promise<string> {
  return await run(["nft", "-s", "list", "ruleset"]) +
    await save("iptables-nft-save");
}
