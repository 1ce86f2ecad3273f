// deno-lint-ignore-file no-console -- it answers by lines
// How fast verdicts, plans and proofs are, without any tool. Prints one JSON
// line.
import type { LinuxFacts } from "../_linux_facts.ts";
import { linkOf } from "../_nft_packet.ts";
import { parseRuleset } from "../_nft_ruleset.ts";
import { planLinux } from "../_plan_linux.ts";
import { checkRequest } from "../_request.ts";
import { verdictOf } from "../_verdict.ts";

/** A host with bans, open ports, and networks that are trusted for some. */
function rulesetOf(count: number): string {
  const at = { family: "inet", table: "f" };
  const equal = (left: unknown, right: unknown) => ({
    match: { op: "==", left, right },
  });
  const saddr = { payload: { protocol: "ip", field: "saddr" } };
  const dport = { payload: { protocol: "tcp", field: "dport" } };
  const rules = Array.from({ length: count }, (_, i) => {
    const address = `10.${i >> 8 & 255}.${i & 255}.7`;
    const expr = i % 4 < 2
      ? [equal(saddr, address), { drop: null }]
      : i % 4 === 2
      ? [equal(dport, 20_000 + 7 * i % 40_000), { accept: null }]
      : [
        equal(saddr, { prefix: { addr: `172.16.${i % 256}.0`, len: 24 } }),
        equal(dport, { range: [1000 + i, 1010 + i] }),
        { accept: null },
      ];
    return { rule: { ...at, chain: "in", handle: i + 10, expr } };
  });
  const state = { ct: { key: "state" } };
  return JSON.stringify({
    nftables: [
      { table: { family: "inet", name: "f" } },
      {
        chain: {
          ...{ ...at, name: "in", type: "filter", hook: "input" },
          ...{ prio: 0, policy: "drop" },
        },
      },
      {
        rule: {
          ...{ ...at, chain: "in", handle: 5 },
          expr: [
            { match: { op: "in", left: state, right: "established" } },
            { accept: null },
          ],
        },
      },
      ...rules,
    ],
  });
}

function factsOf(count: number): LinuxFacts {
  return {
    rights: true,
    ruleset: { type: "known", value: parseRuleset(rulesetOf(count)) },
    legacy: {
      type: "known",
      value: { tables: [], filters: false, chains: [] },
    },
    incompatible: [],
    ufw: { type: "absent" },
    ufwTuples: [],
    firewalld: { type: "absent" },
  };
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1]!;
}

function timed(runs: number, what: () => void): number {
  return median(Array.from({ length: runs }, () => {
    const start = performance.now();
    what();
    return performance.now() - start;
  }));
}

const figures: Record<string, number> = {};
const ruleset = parseRuleset(rulesetOf(100));
const asked = Array.from(
  { length: 4000 },
  (_, i) =>
    checkRequest({ port: 1 + 16 * i, source: "10.9.9.9", interface: "eth0" }),
);
const ms = timed(5, () => {
  for (const one of asked) verdictOf(ruleset, one, "ipv4", linkOf(one));
});
figures.verdicts_per_s = Math.round(asked.length / ms * 1000);
for (const count of [10, 100, 1000]) {
  const facts = factsOf(count);
  const request = checkRequest({ port: 8080, source: "10.0.0.0/8" });
  let compared = 0;
  const terms = {
    ...{ tag: "bench", id: "abcdefgh", mark: "hf:bench:abcdefgh" },
    ...{ leaseSeconds: 600, now: 0, overrideDeny: false },
  };
  figures[`plan_proof_ms_${count}_rules`] = timed(count > 100 ? 3 : 9, () => {
    const plan = planLinux(facts, request, terms);
    if (plan.status !== "ready") throw new Error(JSON.stringify(plan));
    compared = plan.proof!.compared;
  });
  figures.proof_compared = compared;
  const seconds = figures[`plan_proof_ms_${count}_rules`]! / 1000;
  figures[`proof_verdicts_per_s_${count}_rules`] = Math.round(
    2 * compared / seconds,
  );
}
console.log(JSON.stringify(figures));
