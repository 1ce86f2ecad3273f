import { assert, assertEquals, assertMatch } from "@std/assert";
import type { LinuxFacts } from "./_linux_facts.ts";
import { judge } from "./_judge.ts";
import { parseRuleset } from "./_nft_ruleset.ts";
import { planLinux } from "./_plan_linux.ts";
import { checkRequest } from "./_request.ts";

const TERMS = {
  ...{ tag: "t", id: "abcdefgh", mark: "hf:t:abcdefgh" },
  ...{ leaseSeconds: undefined, now: 0, overrideDeny: false },
};

function factsOf(...items: unknown[]): LinuxFacts {
  const value = parseRuleset(JSON.stringify({ nftables: items }));
  return {
    rights: true,
    ruleset: { type: "known", value },
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

const chain = (table: string, policy: string) => ({
  chain: {
    ...{ family: "inet", table, name: "in", type: "filter", hook: "input" },
    ...{ prio: 0, policy },
  },
});
const rule = (table: string, handle: number, ...expr: unknown[]) => ({
  rule: { family: "inet", table, chain: "in", handle, expr },
});
const equal = (left: unknown, right: unknown) => ({
  match: { op: "==", left, right },
});
const saddr = { payload: { protocol: "ip", field: "saddr" } };
const dport = { payload: { protocol: "tcp", field: "dport" } };
const drop = { drop: null };

Deno.test("a plan for more than 32 places is refused", () => {
  const tables = (n: number) =>
    Array.from({ length: n }, (_, i) => chain(`t${i}`, "drop"));
  const asked = checkRequest({ port: 80, family: "ipv4" });
  // Each drops three kinds of packets, and inbound ones are let in twice.
  const few = planLinux(factsOf(...tables(20)), asked, TERMS);
  assertEquals(few.status, "ready");
  const many = planLinux(factsOf(...tables(40)), asked, TERMS);
  assert(many.status === "refused");
  assertMatch(many.why, /more than 32 places/);
});

Deno.test("as many exceptions as one can read are named", () => {
  const bans = Array.from(
    { length: 150 },
    (_, i) => rule("t", i + 1, equal(saddr, `10.0.${i}.1`), drop),
  );
  const outcome = judge(
    factsOf(chain("t", "accept"), ...bans),
    checkRequest({ port: 80, family: "ipv4" }),
  );
  assert(outcome.status === "open", JSON.stringify(outcome));
  assertEquals(outcome.except?.length, 101);
  assertEquals(outcome.except?.at(0), "10.0.0.1");
  assertEquals(outcome.except?.at(-1), "and 50 more");
});

Deno.test("an accept goes after the bans, and before what drops the rest", () => {
  const facts = factsOf(
    chain("t", "accept"),
    rule("t", 1, equal(saddr, "10.0.0.66"), drop),
    rule("t", 2, equal(dport, 22), { accept: null }),
    rule("t", 3, drop),
  );
  const asked = checkRequest({ port: 80, source: "10.0.0.0/24" });
  const plan = planLinux(facts, asked, TERMS);
  assert(plan.status === "ready", JSON.stringify(plan));
  const [command] = JSON.parse(plan.steps[0]!.stdin!).nftables;
  assertEquals(command.insert.rule.handle, 3);
  assertEquals(plan.proof?.changed, ["tcp ipv4 80 from 10.0.0.0/24"]);
});

Deno.test("what is denied on purpose is not overridden unasked", () => {
  const range = { range: [80, 90] };
  const cases: [unknown[], Parameters<typeof checkRequest>[0], boolean][] = [
    [[equal(dport, 80), drop], { port: 80, family: "ipv4" }, true],
    [[equal(dport, range), drop], { port: 85, family: "ipv4" }, true],
    [
      [equal(saddr, "10.0.0.66"), drop],
      { port: 80, source: "10.0.0.66" },
      true,
    ],
    [[drop], { port: 80, family: "ipv4" }, false],
    [[equal({ meta: { key: "l4proto" } }, "tcp"), drop], {
      ...{ port: 80, family: "ipv4" as const },
    }, false],
  ];
  for (const [expr, request, deliberate] of cases) {
    const facts = factsOf(chain("t", "accept"), rule("t", 7, ...expr));
    const asked = checkRequest(request);
    const plan = planLinux(facts, asked, TERMS);
    const text = JSON.stringify([expr, plan]);
    assertEquals(plan.status, deliberate ? "refused" : "ready", text);
    if (plan.status === "refused") assertMatch(plan.why, /on purpose/);
    const forced = planLinux(facts, asked, { ...TERMS, overrideDeny: true });
    assertEquals(forced.status, "ready", text);
  }
});

Deno.test("rules of other leases do not count, and stay where they are", () => {
  const accept = { accept: null };
  const facts = factsOf(
    chain("t", "drop"),
    {
      rule: {
        ...rule("t", 5, equal(dport, 80), accept).rule,
        comment: "hf:other:zzzzzzzz",
      },
    },
  );
  const asked = checkRequest({ port: 80, family: "ipv4" });
  assertEquals(judge(facts, asked).status, "open");
  const plan = planLinux(facts, asked, TERMS);
  assert(plan.status === "ready", JSON.stringify(plan));
  assertMatch(plan.before.why, /Only rules of other leases/);
});

Deno.test("an interface that rules name is asked about by itself", () => {
  const iif = { meta: { key: "iifname" } };
  const accept = { accept: null };
  const request = checkRequest({ port: 80, family: "ipv4" });
  const both = judge(
    factsOf(
      chain("t", "drop"),
      rule("t", 1, equal(iif, "eth0"), accept),
      rule("t", 2, equal(iif, "wlan*"), equal(dport, 80), accept),
    ),
    request,
  );
  assert(both.status === "unknown");
  assertMatch(both.why, /let in by eth0, wlan\*, dropped by any other/);
  // Where it is the same by each of them there is no need to name one.
  const none = judge(
    factsOf(
      chain("t", "drop"),
      rule("t", 1, equal(iif, "eth0"), equal(dport, 22), accept),
    ),
    request,
  );
  assertEquals(none.status, "blocked-by");
  // Addresses in sets are no interfaces, however many they are.
  const elem = Array.from(
    { length: 5000 },
    (_, i) => `10.1.${i >> 8}.${i & 255}`,
  );
  const many = judge(
    factsOf(
      { set: { family: "inet", table: "t", name: "s", elem } },
      chain("t", "accept"),
      rule("t", 1, equal(saddr, "@s"), drop),
      rule("t", 2, equal({ meta: { key: "skuid" } }, 7), drop),
    ),
    request,
  );
  assertEquals(many.status, "unknown");
});
