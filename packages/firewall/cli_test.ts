import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { testWith } from "@holdfast/testkit";

const CLI = new URL("./cli.ts", import.meta.url).pathname;
const TOOLS = "--allow-run=nft,cat,firewall-cmd";

async function run(before: readonly string[], ...args: string[]) {
  const argv = [
    ...before,
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-prompt",
    ...args,
  ];
  const { code, stdout, stderr } = await new Deno.Command(argv[0]!, {
    args: argv.slice(1),
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const [out, err] = [stdout, stderr].map((bytes) => decoder.decode(bytes));
  assert(!err!.includes("    at "), err);
  return { code, out: out!.trim(), err: err!.trim() };
}

Deno.test("cli: bad usage is one sentence and exit code 2", async () => {
  for (
    const args of [
      [],
      ["check"],
      ["check", "http"],
      ["check", "0"],
      ["check", "80", "--protocol", "icmp"],
      ["check", "80", "--source", "everyone"],
      ["plan", "80", "--tag", "a b"],
      ["plan", "80", "--nonsense"],
      ["list"],
      ["allow", "80"],
    ]
  ) {
    const { code, out, err } = await run([], CLI, ...args);
    assertEquals([code, out], [2, ""], args.join(" "));
    assertEquals(err.split("\n").length, 1, err);
  }
  const help = await run([], CLI, "--help");
  assertEquals(help.code, 0);
  assertStringIncludes(help.out, TOOLS);
});

Deno.test("cli: without permission it is unknown, and says what is missing", async () => {
  const { code, out, err } = await run([], CLI, "check", "80", "--json");
  assertEquals(code, 1);
  assertEquals(JSON.parse(out).status, "unknown");
  if (Deno.build.os === "linux") assertStringIncludes(err, "--allow-run=nft");
});

testWith({
  name: "cli: check and plan in a namespace, with the permissions of --help",
  needs: ["netns", "nft", "sh"],
  fn: async () => {
    const inside = (rules: string) => [
      "unshare",
      "-Urn",
      "sh",
      "-ec",
      `${rules}\nexec "$0" "$@"`,
    ];
    const open = await run(inside(":"), TOOLS, CLI, "check", "8080");
    assertEquals([open.code, open.err], [0, ""]);
    const shut = inside(
      "nft 'add table inet f; add chain inet f in { type filter hook input priority 0; policy drop; }'",
    );
    const blocked = await run(shut, TOOLS, CLI, "check", "8080", "--json");
    assertEquals(blocked.code, 1);
    assertEquals(JSON.parse(blocked.out).table, "inet f");
    const plan = await run(shut, TOOLS, CLI, "plan", "8080", "--json");
    assertEquals([plan.code, plan.err], [0, ""]);
    assertEquals(JSON.parse(plan.out).steps.length, 1);
    const words = await run(shut, TOOLS, CLI, "plan", "8080");
    assertStringIncludes(words.out, "nft -j -e -a -f -");
    const report = await run(shut, TOOLS, CLI, "inspect");
    assertStringIncludes(report.out, "nftables: active (tables: inet f)");
  },
});
