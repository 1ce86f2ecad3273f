import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { testWith } from "@holdfast/testkit";

const CLI = new URL("./cli.ts", import.meta.url).pathname;
const TOOLS = "--allow-run=nft,cat,busctl";

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
      ["check", "--port", "80", "81"],
      ["check", "--port", "4\u00070"],
      ["plan", "--port", "80", "--for", "1w"],
      ["plan", "--port", "80", "--for", "3s"],
      ["plan", "--port", "80", "--interface", "eth0\u001b[2J"],
      ["plan", "--port", "80", "--from", "10.0.0.1/8"],
      ["allow", "--port", "80", "--elevate", "rm"],
      ["allow"],
      ["revert"],
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
    const plan = await run(
      shut,
      TOOLS,
      CLI,
      "plan",
      "8080",
      "--from",
      "any",
      "--json",
    );
    assertEquals([plan.code, plan.err], [0, ""]);
    assertEquals(JSON.parse(plan.out).steps.length, 1);
    const words = await run(shut, TOOLS, CLI, "plan", "8080", "--from", "any");
    assertStringIncludes(words.out, "nft -j -e -a -f -");
    const report = await run(shut, TOOLS, CLI, "inspect");
    assertStringIncludes(report.out, "nftables: active (tables: inet f)");
  },
});

testWith({
  name: "cli: allow asks first, list shows, revert takes back",
  needs: ["netns", "nft", "sh"],
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const cli = `"$0" run --quiet --no-prompt -A ${CLI}`;
      const work = `--ledger ${folder}`;
      const script = [
        "nft 'add table inet f; add chain inet f in { type filter hook input priority 0; policy drop; }'",
        "rules() { nft -s list ruleset; }",
        'before="$(rules)"',
        `${cli} allow --port 4000 --from any ${work} 2>&1 && exit 1`,
        '[ "$before" = "$(rules)" ] || exit 2',
        `${cli} allow --port 4000 --udp --tcp --from 10.0.0.0/8 --for 1h --yes --json ${work}`,
        `${cli} list --json ${work}`,
        `${cli} check --port 4000 --from 10.1.2.3 --json || exit 3`,
        `${cli} check --port 4000 --udp --from 10.1.2.3 --json || exit 4`,
        `${cli} check --port 4000 --from 11.0.0.1 2>&1 && exit 5`,
        `${cli} revert --port 4001 ${work} 2>&1 && exit 6`,
        // Without a range it is for the networks of this machine.
        `${cli} plan --port 4002 2>&1 && exit 8`,
        "ip link add v0 type veth peer name v1",
        "ip addr add 10.7.7.7/24 dev v0; ip link set v0 up; ip link set v1 up",
        `${cli} plan --port 4002 --family ipv4 2>&1 | grep 'from 10.7.7.0/24' || exit 9`,
        `${cli} revert --port 4000 --json ${work}`,
        '[ "$before" = "$(rules)" ] || exit 7',
        `${cli} list ${work}`,
        "exit 0",
      ].join("\n");
      const argv = ["-Urn", "sh", "-c", script, Deno.execPath()];
      const { code, stdout, stderr } = await new Deno.Command("unshare", {
        args: argv,
        env: { NO_COLOR: "1" },
      }).output();
      const [out, err] = [stdout, stderr].map((b) =>
        new TextDecoder().decode(b)
      );
      assertEquals([code, err], [0, ""], out);
      assertStringIncludes(out!, "nobody said yes");
      assertStringIncludes(out!, "this machine is in no network");
      const lines = out!.split("\n").filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line));
      assertEquals(
        lines.map((line) => line.type ?? line.status ?? line.layer),
        [
          ...["opened", "opened", "nftables", "nftables", "open", "open"],
          ...["reverted", "reverted"],
        ],
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

testWith({
  name: "cli: a lease that is held is closed at its end",
  needs: ["netns", "nft", "sh"],
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const script = [
      "nft 'add table inet f; add chain inet f in { type filter hook input priority 0; policy drop; }'",
      `"$0" run --quiet --no-prompt -A ${CLI} allow --port 4000 --from any --for 1h --hold --yes --ledger ${folder} &`,
      "pid=$!",
      "for i in 1 2 3 4 5 6 7 8 9 10; do nft list ruleset | grep -q hf_ && break; sleep 1; done",
      "nft list ruleset | grep -q hf_ || exit 1",
      "sleep 1; kill -INT $pid; wait $pid || exit 2",
      "nft list ruleset | grep -q hf_ && exit 3",
      "exit 0",
    ].join("\n");
    const { code, stderr } = await new Deno.Command("unshare", {
      args: ["-Urn", "sh", "-c", script, Deno.execPath()],
    }).output();
    await Deno.remove(folder, { recursive: true });
    assertEquals(code, 0, new TextDecoder().decode(stderr));
  },
});
