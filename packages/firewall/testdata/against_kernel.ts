// deno-lint-ignore-file no-console -- it answers by lines
// Runs in `unshare -Urn`: loads random rulesets into a real kernel, lets a real
// peer connect, and compares with the verdicts. Arguments: seed, rulesets.
// Prints one JSON line of counts; fails at the first wrong verdict.
import fc from "fast-check";
import { runLocal } from "../_run_local.ts";
import {
  checkAccess,
  type Family,
  planAccess,
  type Ran,
  type Runner,
} from "../mod.ts";
import { Lab, LINK, OURS, PEERS, run } from "./lab.ts";
import { PORTS, rulesets } from "./random_rulesets.ts";

const [seed = 1, numRuns = 15] = Deno.args.map(Number);
const counts = {
  rulesets: 0,
  refused: 0,
  open: 0,
  blocked: 0,
  unknown: 0,
  planned: 0,
};
const SHORT_MS = 100;
const LONG_MS = 2000;
const families: readonly Family[] = ["ipv4", "ipv6"];
const tuples = families.flatMap((family) =>
  PORTS.map((port) => ({ family, port }))
);

/** Asks each tool once for each ruleset: the machine is shared. */
let asked = new Map<string, Promise<Ran>>();
const recorded: Runner = (call, options) => {
  const key = JSON.stringify(call);
  const answer = asked.get(key) ?? runLocal(call, options);
  asked.set(key, answer);
  return answer;
};

await using lab = await Lab.open(PORTS);
for (const ruleset of fc.sample(rulesets, { seed, numRuns })) {
  try {
    await run(["nft", "-f", "-"], `flush ruleset\n${ruleset}`);
  } catch {
    counts.refused++; // Some rules contradict themselves, and nft says so.
    continue;
  }
  counts.rulesets++;
  asked = new Map();
  const real = await lab.probe(tuples.map(({ family, port }) => [
    OURS[family],
    port,
    SHORT_MS,
  ]));
  // A busy machine may be slow: what should be open gets a second chance.
  for (const [i, { family, port }] of tuples.entries()) {
    const exact = { port, source: PEERS[family], interface: LINK };
    if (
      !real[i] &&
      (await checkAccess(exact, { run: recorded })).status === "open"
    ) {
      [real[i]] = await lab.probe([[OURS[family], port, LONG_MS]]) as [boolean];
    }
    await compare(exact, real[i]!, ruleset, true);
    await compare({ port, family }, real[i]!, ruleset, false);
  }
  const first = { port: PORTS[0]!, source: PEERS.ipv4, interface: LINK };
  await tryPlan(first, ruleset, real[1]!);
}
console.log(JSON.stringify(counts));

type Request = Parameters<typeof checkAccess>[0];

/** What is said for certain must be what the kernel does. */
async function compare(
  request: Request,
  open: boolean,
  ruleset: string,
  counted: boolean,
): Promise<void> {
  const { status, why } = await checkAccess(request, { run: recorded });
  if (status === "open" && !open || status === "blocked-by" && open) {
    fail(
      request,
      `says ${status} (${why}), the kernel says open=${open}`,
      ruleset,
    );
  }
  if (!counted) return;
  if (status === "open") counts.open++;
  else if (status === "blocked-by") counts.blocked++;
  else counts.unknown++;
}

/** A plan that is given out must work, and must open nothing else. */
async function tryPlan(
  request: Request,
  ruleset: string,
  otherBefore: boolean,
): Promise<void> {
  const plan = await planAccess(request, { run: recorded, tag: "test:1" });
  if (plan.status !== "ready") return;
  for (const { argv, stdin } of plan.steps) await run(argv, stdin);
  const [now, otherNow] = await lab.probe([
    [OURS.ipv4, request.port, LONG_MS],
    [OURS.ipv4, PORTS[1]!, otherBefore ? LONG_MS : SHORT_MS],
  ]);
  if (!now) fail(request, "planned, and still closed", ruleset);
  if (otherNow !== otherBefore) fail(request, "another port changed", ruleset);
  const { status } = await checkAccess(request);
  if (status !== "open") fail(request, `planned, then ${status}`, ruleset);
  counts.planned++;
}

function fail(request: Request, what: string, ruleset: string): never {
  throw new Error(
    `seed ${seed}: ${JSON.stringify(request)}: ${what}\n${ruleset}`,
  );
}
