// deno-lint-ignore-file no-console -- it answers by lines
// Runs in `unshare -Urnm`, where this program has the rights that sudo would
// give. The program called sudo here hands on what it is asked to run, as sudo
// does, or refuses; what goes through it is the real shell and the real tools.
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { applyPlan, elevate, FirewallError, planAccess } from "../mod.ts";
import { run } from "./lab.ts";
import { privateRun } from "./managers.ts";

await privateRun();
await run("ip link set lo up".split(" "));
const none = await assertRejects(() => elevate(), FirewallError);
assertEquals(none.code, "firewall/no-rights");

await Deno.mkdir("/run/layer");
const words = 'while [ "$1" != -- ]; do shift; done; shift';
await write("sudo", `echo "$*" >> /run/asked; ${words}; exec "$@"`);
await write("doas", "echo doas: Authentication failed >&2; exit 1");
const overlay = "lowerdir=/run/layer:/usr/bin";
await run(["mount", "-t", "overlay", "overlay", "-o", overlay, "/usr/bin"]);

const refused = await assertRejects(
  () => elevate({ method: "doas" }),
  FirewallError,
  "Authentication failed",
);
assertEquals(refused.code, "firewall/rights-refused");

await run(
  ["nft", "-f", "-"],
  "table inet f {\n  chain in {\n    type filter hook input priority 0; policy drop\n  }\n}\n",
);
{
  await using elevated = await elevate();
  assertEquals(elevated.method, "sudo");
  // Whatever the arguments and the input are, the tool gets just these.
  const text = fc.string({ unit: "binary", maxLength: 60 })
    .map((one) => one.replaceAll("\u0000", "").toWellFormed());
  await fc.assert(
    fc.asyncProperty(
      fc.array(text, { maxLength: 4 }),
      text,
      async (a, stdin) => {
        const args = ["%s\n", ...a];
        const ran = await elevated.run({ tool: "printf", args }, {});
        const said = a.length === 0
          ? "\n"
          : a.map((one) => `${one}\n`).join("");
        assert(ran.type === "ran" && ran.code === 0);
        assertEquals(ran.stdout, said);
        const cat = await elevated.run({ tool: "cat", args: [], stdin }, {});
        assert(cat.type === "ran");
        assertEquals(cat.stdout, stdin.endsWith("\n") ? stdin : `${stdin}\n`);
      },
    ),
    { numRuns: 300 },
  );
  const missing = await elevated.run({ tool: "no-such-tool", args: [] }, {});
  assertEquals(missing, { type: "absent" });
  const bad = await elevated.run({ tool: "nft", args: ["nonsense"] }, {});
  assert(bad.type === "ran" && bad.code === 1 && bad.stderr.includes("syntax"));
  const empty = await elevated.run({ tool: "env", args: [] }, {});
  assert(
    empty.type === "ran" && !empty.stdout.includes("HOME="),
    "environment",
  );

  const plan = await planAccess({ port: 80 }, { run: elevated.run });
  assert(plan.status === "ready", JSON.stringify(plan));
  const options = { consent: true, ledger: "/run/ledger", run: elevated.run };
  const lease = await applyPlan(plan, options);
  assert((await run(["nft", "list", "ruleset"])).includes("hf:holdfast:"));
  await lease.revert();
  assert(!(await run(["nft", "list", "ruleset"])).includes("hf:"));
}
// One prompt for all of it, and nothing of the payload on a command line.
const asked = (await Deno.readTextFile("/run/asked")).trim().split("\n");
assertEquals(asked.length, 1);
assert(asked[0]!.endsWith(" /bin/sh"), asked[0]);
console.log(JSON.stringify({ prompts: asked.length }));

async function write(name: string, body: string): Promise<void> {
  await Deno.writeTextFile(`/run/layer/${name}`, `#!/bin/sh\n${body}\n`);
  await Deno.chmod(`/run/layer/${name}`, 0o755);
}
