// deno-lint-ignore-file no-console -- it answers by lines
// Runs in `unshare -Urnm`: loads random rulesets into a real kernel, lets a real
// peer connect, and compares with the verdicts. Arguments: seed, rulesets, and
// how many of them to skip. Prints one JSON line of counts; fails at the first
// wrong verdict, with the ruleset.
import fc from "fast-check";
import { whyForbidden } from "../_guard_rules.ts";
import { runLocal } from "../_run_local.ts";
import { checkAccess, type Family, planAccess, type Runner } from "../mod.ts";
import { BANNED, Lab, LINK, OURS, PEERS, type Probe, run } from "./lab.ts";
import { PORTS, type Ruleset, rulesets } from "./random_rulesets.ts";
import { isWithinTexts } from "./except.ts";

const [seed = 1, numRuns = 15, skip = 0] = Deno.args.map(Number);
const counts = {
  ...{ rulesets: 0, refused: 0, open: 0, blocked: 0, unknown: 0, planned: 0 },
  ...{ probes: 0, refusedPlans: 0 },
};
const SHORT_MS = 40;
const LONG_MS = 3000;
const families: readonly Family[] = ["ipv4", "ipv6"];
const tuples = families.flatMap((family) => [
  ...PORTS.map((port) => ({ family, port, protocol: "tcp", peer: PEERS })),
  { family, port: PORTS[0]!, protocol: "udp", peer: PEERS },
  { family, port: PORTS[0]!, protocol: "tcp", peer: BANNED },
]) as readonly {
  family: Family;
  port: number;
  protocol: "tcp" | "udp";
  peer: typeof PEERS;
}[];

/** Asks each tool once for each ruleset: the machine is shared. */
let asked = new Map<string, ReturnType<Runner>>();
const recorded: Runner = (call, options) => {
  const key = JSON.stringify(call);
  const answer = asked.get(key) ?? runLocal(call, options);
  asked.set(key, answer);
  return answer;
};

const EMPTY =
  "*mangle\n:PREROUTING ACCEPT\nCOMMIT\n*filter\n:INPUT ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n";
let legacy = false;

/** Whether the tools take it: some rules contradict themselves. */
async function load({ nft, iptables }: Ruleset): Promise<boolean> {
  if (legacy) {
    await run(["iptables-legacy-restore"], EMPTY);
    await run(["ip6tables-legacy-restore"], EMPTY);
    legacy = false;
  }
  try {
    await run(["nft", "-f", "-"], `flush ruleset\n${nft}`);
    for (const { tool, text } of iptables) {
      legacy ||= tool.includes("legacy");
      await run([tool], text);
    }
    return true;
  } catch {
    return false;
  }
}

await run("mount -t tmpfs none /run".split(" "));
await using lab = await Lab.open(PORTS, { udp: true });
const all = fc.sample(rulesets, { seed, numRuns: numRuns + skip });
for (const ruleset of all.slice(skip)) {
  if (!await load(ruleset)) {
    counts.refused++;
    continue;
  }
  counts.rulesets++;
  asked = new Map();
  const real = await lab.probe(tuples.map((tuple) => probeOf(tuple, SHORT_MS)));
  counts.probes += real.length;
  const certain: boolean[] = [];
  for (const [i, tuple] of tuples.entries()) {
    const { family, port, protocol, peer } = tuple;
    const source = peer[family];
    const exact = { port, protocol, source, interface: LINK };
    // A busy machine may be slow: what should be open gets a second chance.
    if (
      !real[i] &&
      (await checkAccess(exact, { run: recorded })).status === "open"
    ) {
      [real[i]] = await lab.probe([probeOf(tuple, LONG_MS)]) as [boolean];
    }
    const known = await compare(exact, source, real[i]!, ruleset, true);
    certain.push(known);
    await compare({ port, protocol, family }, source, real[i]!, ruleset, false);
    const half = {
      port,
      protocol,
      source: family === "ipv4" ? "10.0.0.0/8" : "fd00::/8",
      interface: LINK,
    };
    await compare(half, source, real[i]!, ruleset, false);
  }
  await tryPlan(ruleset, real, certain);
}
console.log(JSON.stringify(counts));

type Request = Parameters<typeof checkAccess>[0];

function probeOf(
  { family, port, protocol, peer }: typeof tuples[number],
  ms: number,
): Probe {
  return [OURS[family], port, ms, protocol, peer[family]];
}

/** What is said for certain must be what the kernel does. */
async function compare(
  request: Request,
  source: string,
  open: boolean,
  ruleset: Ruleset,
  counted: boolean,
): Promise<boolean> {
  const outcome = await checkAccess(request, { run: recorded });
  const { status, why } = outcome;
  const excepted = "except" in outcome && outcome.except !== undefined &&
    isWithinTexts(source, outcome.except);
  if (
    !excepted &&
    (status === "open" && !open || status === "blocked-by" && open)
  ) {
    const what = `says ${status} (${why}), the kernel says open=${open}`;
    fail(request, `from ${source}: ${what}`, ruleset);
  }
  const known = status !== "unknown";
  if (!counted) return known;
  if (status === "open") counts.open++;
  else if (status === "blocked-by") counts.blocked++;
  else counts.unknown++;
  return known;
}

/** A plan that is given out must work, and must open nothing else. */
async function tryPlan(
  ruleset: Ruleset,
  real: readonly boolean[],
  certain: readonly boolean[],
): Promise<void> {
  const port = PORTS[0]!;
  const request = { port, source: PEERS.ipv4, interface: LINK };
  const plan = await planAccess(request, {
    ...{ run: recorded, tag: "test:1" },
    ...{ leaseSeconds: 600, overrideDeny: true },
  });
  if (plan.status === "refused") counts.refusedPlans++;
  if (plan.status !== "ready") return;
  for (const step of plan.steps) {
    const why = whyForbidden(step);
    if (why !== undefined) fail(request, `it plans ${why}`, ruleset);
    await run(step.argv, step.stdin);
  }
  const others = await lab.probe(
    tuples.map((tuple, i) =>
      probeOf(tuple, real[i] || i === 0 ? LONG_MS : SHORT_MS)
    ),
  );
  if (!others[0] && plan.after.status === "would-open") {
    fail(request, "planned, and still closed", ruleset);
  }
  for (const [i, tuple] of tuples.entries()) {
    // A limit of a rate may let it in now, and not then.
    if (i > 0 && certain[i] && others[i] !== real[i]) {
      fail(request, `${JSON.stringify(tuple)} changed`, ruleset);
    }
  }
  const { status } = await checkAccess(request);
  if (status !== "open" && plan.after.status === "would-open") {
    fail(request, `planned, then ${status}`, ruleset);
  }
  counts.planned++;
}

function fail(request: Request, what: string, ruleset: Ruleset): never {
  throw new Error(
    `seed ${seed}, after ${counts.rulesets + counts.refused} rulesets: ${
      JSON.stringify(request)
    }: ${what}
${ruleset.nft}${ruleset.iptables.map(({ tool, text }) => `${tool}\n${text}`)}
Replay: unshare -Urnm deno run -A packages/firewall/testdata/against_kernel.ts ${seed} ${numRuns} ${skip}`,
  );
}
