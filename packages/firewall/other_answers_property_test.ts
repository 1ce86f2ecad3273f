// Whatever tools answer, each function ends in a verdict or a typed error.
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { checkAccess } from "./check_access.ts";
import { inspectFirewall } from "./inspect_firewall.ts";
import { planAccess } from "./plan_access.ts";
import type { AccessRequest } from "./request.ts";
import type { Ran, Runner } from "./runner.ts";
import { forbidden, recording, undoing } from "./testdata/recorded.ts";

const MAC = Object.values(
  JSON.parse(recording("macos/application_firewall.json")),
).flatMap((version) => Object.values(version as Record<string, string>));
const TEXTS = [
  ...MAC,
  ...[
    "windows/firewall_policy.txt",
    "windows/policies_some.txt",
    "windows/policies_none.txt",
    "windows/policy_no_merge.txt",
    "windows/netsh_german.txt",
    "freebsd/pf_rules.txt",
    "freebsd/ipfw_list.txt",
    "freebsd/ipfw_tables.txt",
  ].map(recording),
  "Status: Enabled for 0 days 00:05:03\n",
  "Status: Disabled\n",
  "1\n",
  "0\n",
  "  holdfast\n  holdfast/a\n",
  "/x\n",
];

const answer: fc.Arbitrary<Ran> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("ran" as const),
      code: fc.constantFrom(0, 0, 0, 1, 5, 124),
      stdout: fc.oneof(
        { weight: 4, arbitrary: fc.constantFrom(...TEXTS) },
        fc.string(),
        fc.string({ unit: "binary" }),
      ),
      stderr: fc.oneof(fc.constant(""), fc.string()),
    }),
  },
  fc.constant({ type: "absent" } as const),
  fc.constant({ type: "forbidden", why: "it may not be run" } as const),
);

const request: fc.Arbitrary<AccessRequest> = fc.record({
  port: fc.constantFrom(22, 80, 4000, 8080),
  protocol: fc.constantFrom("tcp" as const, "udp"),
  source: fc.constantFrom(undefined, "10.0.0.1", "0.0.0.0/0", "fe80::/10"),
  interface: fc.constantFrom(undefined, "em0"),
  program: fc.constantFrom(
    undefined,
    "/usr/bin/x",
    "C:\\It's $(x)\\%TEMP%.exe",
    "C:\\It\u2019s; calc.exe",
  ),
});

Deno.test("any answers of any tools end in a verdict, with a reason", async () => {
  const seen = new Set<string>();
  const run = Deno.env.get("HOLDFAST_SOAK") === "1" ? 10_000 : 1000;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("windows", "darwin", "freebsd"),
      fc.array(answer, { minLength: 1, maxLength: 40 }),
      request,
      async (system, answers, asked) => {
        let at = 0;
        const run: Runner = () =>
          Promise.resolve(answers[at++ % answers.length]!);
        const options = { run, system, tag: "app:1" };
        const outcome = await checkAccess(asked, options);
        seen.add(`${system} ${outcome.status}`);
        assert(outcome.why !== "");
        at = 0;
        const report = await inspectFirewall(options);
        assertEquals(report.system, system);
        at = 0;
        const plan = await planAccess(asked, options);
        if (plan.status !== "ready") return;
        for (const step of [...plan.steps, ...undoing(plan.steps)]) {
          // An absolute path, and no word that could lock anybody out.
          assert(/^(\/|C:\\Windows\\)/.test(step.argv[0]!));
          const words = `${step.argv.join(" ")} ${step.stdin} ${
            step.script ?? ""
          }`;
          assert(!forbidden(words), words);
          assert(!words.includes("%TEMP%"), words);
        }
      },
    ),
    { numRuns: run },
  );
  // So that the texts are not all refused at the door.
  assert(
    [...seen].some((text) => /blocked-by|open/.test(text)),
    [...seen].join(),
  );
});
