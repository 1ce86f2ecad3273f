// deno-lint-ignore-file no-console -- its starter reads what it prints
/**
 * One seeded scenario, in namespaces of its own: `unshare -Urn deno run -A
 * tests/netns/_peer_scenario.ts <seed>`. Prints its verdict; on a failure, all
 * that was said.
 */
import { openPeerLab } from "@holdfast/testkit/peer-lab";
import { delay } from "@std/async/delay";
import { inflict, scenarioOf } from "./_peer_faults.ts";
import { Pair } from "./_peer_pair.ts";
import { verdictOf } from "./_peer_verdict.ts";

const scenario = scenarioOf(Number(Deno.args[0]));
await using lab = await openPeerLab();
await lab.dropAll("b");
await using pair = await Pair.start(lab, scenario);
await delay(300);
try {
  await inflict(lab, pair, scenario.faults);
  const verdict = verdictOf(await pair.finish());
  const { seed, durable, faults } = scenario;
  const whats = faults.map(({ what }) => what);
  console.log(JSON.stringify({ seed, durable, whats, ...verdict }));
  if (verdict.lost > 0 || verdict.hashesEqual === false) {
    throw new Error(`${verdict.lost} bytes were lost`);
  }
} catch (error) {
  console.error(JSON.stringify(scenario));
  for (const { host, atMs, line } of pair.said.slice(-400)) {
    console.error(host, atMs, JSON.stringify(line).slice(0, 600));
  }
  throw error;
}
