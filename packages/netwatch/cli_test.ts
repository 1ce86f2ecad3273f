import { assert, assertEquals } from "@std/assert";
import { testWith } from "@holdfast/testkit";

const CLI = new URL("./cli.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

function cli(rights: readonly string[], ...args: string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-check",
      "--config",
      CONFIG,
      ...rights,
      CLI,
      ...args,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

async function outcome(rights: readonly string[], ...args: string[]) {
  const { code, stdout, stderr } = await cli(rights, ...args).output();
  const decoder = new TextDecoder();
  return {
    code,
    out: decoder.decode(stdout),
    err: decoder.decode(stderr),
  };
}

const ADDRESSES = ["--allow-sys=networkInterfaces"];

Deno.test("snapshot --json prints the snapshot and nothing else", async () => {
  const { code, out, err } = await outcome(ADDRESSES, "snapshot", "--json");
  assertEquals({ code, err }, { code: 0, err: "" });
  assertEquals(JSON.parse(out).sees, ["addresses"]);
  assertEquals(out.trimEnd().split("\n").length, 1);
});

Deno.test("snapshot prints lines for people", async () => {
  const { code, out } = await outcome(ADDRESSES, "snapshot");
  assertEquals(code, 0);
  assert(out.includes("127.0.0.1/8"));
  assert(out.includes("note: Routes"));
});

Deno.test("bad usage is one sentence and exit code 2", async () => {
  for (
    const [args, said] of [
      [[], "Cannot start: no command is given: see --help\n"],
      [["dance"], 'Cannot start: "dance" is no command: see --help\n'],
      [["watch", "--x"], "Cannot start: Unknown option '--x'"],
      [["watch", "--poll-ms", "no"], "Cannot start: --poll-ms must be"],
    ] as const
  ) {
    const { code, out, err } = await outcome([], ...args);
    assertEquals({ code, out }, { code: 2, out: "" });
    assert(err.startsWith(said), err);
    assertEquals(err.trimEnd().split("\n").length, 1);
  }
});

Deno.test("without rights it fails with one sentence and exit code 1", async () => {
  for (const command of ["snapshot", "watch"]) {
    const { code, out, err } = await outcome([], command);
    assertEquals({ code, out }, { code: 1, out: "" });
    assert(err.includes("--allow-sys=networkInterfaces"), err);
    assertEquals(err.trimEnd().split("\n").length, 1);
  }
});

Deno.test("--help names the permissions", async () => {
  const { code, out } = await outcome([], "--help");
  assertEquals(code, 0);
  assert(out.includes("--allow-run=ip,sh"));
});

testWith({
  name: "watch --json prints the very events, and ends by SIGTERM",
  needs: ["netns"],
  fn: async () => {
    await using child = new Deno.Command("unshare", {
      args: [
        "-Urn",
        "sh",
        "-c",
        // Changes go on until one is heard: when it listens is not known here.
        '(while :; do ip link set lo up; sleep 0.1; ip link set lo down; sleep 0.1; done) & p=$!; "$@" & c=$!; trap "kill $c" TERM; wait $c; wait $c; code=$?; kill $p; exit $code',
        "sh",
        Deno.execPath(),
        "run",
        "--no-prompt",
        "--no-check",
        "--config",
        CONFIG,
        ...ADDRESSES,
        "--allow-run=ip",
        CLI,
        "watch",
        "--json",
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const lines: string[] = [];
    let rest = "";
    for await (const bytes of child.stdout) {
      const parts = (rest + new TextDecoder().decode(bytes)).split("\n");
      rest = parts.pop()!;
      lines.push(...parts);
      if (lines.length >= 3) break;
    }
    child.kill("SIGTERM");
    assertEquals((await child.status).code, 0);
    const types = new Set(lines.map((line) => JSON.parse(line).type));
    assert(types.has("interface-up") || types.has("interface-down"));
  },
});
