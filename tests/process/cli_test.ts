import { assert, assertEquals, assertStringIncludes } from "@std/assert";

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function holdfast(
  args: readonly string[],
  flags: readonly string[] = ["--allow-all"],
): Promise<Result> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...flags, "cli.ts", ...args],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

Deno.test("holdfast --help lists the commands, and each has a --help that names its permissions", async () => {
  const help = await holdfast(["--help"], []);
  assertEquals([help.code, help.stderr], [0, ""]);
  for (
    const command of [
      ...["watch", "check", "signal", "firewall", "handoff", "tunnel"],
    ]
  ) {
    assertStringIncludes(help.stdout, command);
    const own = await holdfast([command, "--help"]);
    assertEquals([own.code, own.stderr], [0, ""], command);
    assertStringIncludes(own.stdout, "--allow-");
  }
});

Deno.test("bad usage is told in one sentence, with exit code 2", async () => {
  for (
    const args of [["fly"], ["check"], ["watch", "--nonsense"], ["toString"]]
  ) {
    const { code, stdout, stderr } = await holdfast(args);
    assertEquals([code, stdout], [2, ""], args.join(" "));
    assert(stderr !== "" && !stderr.includes("    at "), stderr);
  }
  assertEquals((await holdfast([])).code, 2);
});

Deno.test("holdfast check tells a port that answers from one that does not", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const target = `127.0.0.1:${listener.addr.port}`;
  const open = await holdfast(["check", target, "--json"]);
  listener.close();
  assertEquals(open.code, 0);
  for (const line of open.stdout.trimEnd().split("\n")) JSON.parse(line);
  const closed = await holdfast(["check", target, "--deadline", "300"]);
  assertEquals(closed.code, 1);
  assert(!closed.stderr.includes("    at "));
});

Deno.test("holdfast snapshot --json prints one object", async () => {
  const { code, stdout } = await holdfast(["snapshot", "--json"]);
  assertEquals(code, 0);
  const snapshot = JSON.parse(stdout);
  assert(Array.isArray(snapshot.interfaces));
});
