/**
 * The runner as a process, in a checkout of its own where things go wrong.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

const RUNNER = new URL("./test.ts", import.meta.url);

interface Ran {
  readonly code: number;
  readonly lines: readonly string[];
  readonly text: string;
}

async function run(
  files: Readonly<Record<string, string>>,
  args: readonly string[] = ["--no-check"],
  require = "",
): Promise<Ran> {
  const root = await Deno.makeTempDir();
  try {
    for (const [path, text] of Object.entries(files)) {
      const folder = path.slice(0, path.lastIndexOf("/"));
      await Deno.mkdir(`${root}/${folder}`, { recursive: true });
      await Deno.writeTextFile(`${root}/${path}`, text);
    }
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", RUNNER.href, ...args],
      cwd: root,
      env: { NO_COLOR: "1", HOLDFAST_REQUIRE: require },
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(stdout);
    return {
      code,
      lines: text.trimEnd().split("\n"),
      text: text + new TextDecoder().decode(stderr),
    };
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const PASSES = `Deno.test("passes", () => {});\n`;
const FAILS = `Deno.test("fails", () => { throw new Error("on purpose"); });\n`;
const LEFT =
  `Deno.test({ name: "a [left out: no ip]", ignore: true, fn() {} });\n`;
const EXAMPLE = "/**\n * ```ts\n * if (1 + 1 !== 2) throw 1;\n * ```\n */\n" +
  "export const a = 1;\n";

Deno.test("runner: counts tests and examples, names what was left out", async () => {
  const ran = await run({
    "packages/events/a_test.ts": PASSES + LEFT,
    "packages/events/a.ts": EXAMPLE,
  });
  assertEquals(ran.lines.at(-1), "2 passed, 0 failed", ran.text);
  assertEquals(ran.code, 0);
  assertStringIncludes(
    ran.text,
    "left out: events: a [left out: no ip] (./packages/events/a_test.ts)\n",
  );
});

Deno.test("runner: a left-out test fails where everything is required", async () => {
  const files = { "packages/events/a_test.ts": PASSES + LEFT };
  const ran = await run(files, ["--no-check"], "all");
  assertEquals(ran.lines.at(-1), "1 passed, 1 failed", ran.text);
  assertEquals(ran.code, 1);
});

Deno.test("runner: a failure in one suite does not hide the next", async () => {
  const ran = await run({
    "packages/events/a_test.ts": FAILS,
    "packages/recovery/a_test.ts": PASSES,
    "tests/compose_test.ts": PASSES,
  });
  assertEquals(ran.lines.at(-1), "2 passed, 1 failed", ran.text);
  assertEquals(ran.code, 1);
});

Deno.test("runner: two suites at a time are counted alike, and told one after the other", async () => {
  const ran = await run({
    "packages/events/a_test.ts": PASSES + FAILS,
    "packages/recovery/a_test.ts": PASSES,
    "packages/netwatch/a_test.ts": PASSES,
  }, ["--no-check", "--jobs=2"]);
  assertEquals(ran.lines.at(-1), "3 passed, 1 failed", ran.text);
  const headings = ran.lines.map((line) => /^== (\w+)/.exec(line)?.[1])
    .filter((name) => name !== undefined);
  assertEquals(headings.toSorted(), ["events", "netwatch", "recovery"]);
  const told = ran.lines.filter((line) => /^(== |ok \||FAILED \|)/.test(line))
    .map((line) => line.slice(0, 2));
  // Each heading has its own end right behind it.
  assertEquals(told.filter((_, i) => i % 2 === 0), ["==", "==", "=="]);
});

Deno.test("runner: what never became a test is a failure", async () => {
  const ran = await run({
    "packages/events/a_test.ts": "const a: string = 1;\n",
    "packages/recovery/a_test.ts": `throw new Error("while loading");\n`,
    // No report is written by a process that dies.
    "tests/compose_test.ts": PASSES +
      `Deno.test("dies", () => Deno.kill(Deno.pid, "SIGKILL"));\n`,
  }, []);
  assertEquals(ran.lines.at(-1), "0 passed, 3 failed", ran.text);
  assertEquals(ran.code, 1);
});

Deno.test("runner: a suite that hangs is ended, and its other tests count", async () => {
  const ran = await run({
    "packages/events/a_test.ts": PASSES +
      `Deno.test("hangs", async () => {
        const timer = setInterval(() => {}, 100);
        try { await new Promise(() => {}); } finally { clearInterval(timer); }
      });\n`,
    "packages/recovery/a_test.ts": PASSES,
  }, ["--no-check", "--limit=2"]);
  assertEquals(ran.lines.at(-1), "2 passed, 1 failed", ran.text);
  assertStringIncludes(ran.text, "took longer than 2 seconds");
});

Deno.test("runner: a suite has its own permissions and no more", async () => {
  const ran = await run({
    "packages/events/a_test.ts": `Deno.test("reads", () => {
      Deno.readTextFileSync("packages/events/a_test.ts");
    });\n`,
    "packages/recovery/a_test.ts": `Deno.test("listens", () => {
      Deno.listen({ hostname: "127.0.0.1", port: 0 }).close();
    });\n`,
  });
  assertEquals(ran.lines.at(-1), "1 passed, 1 failed", ran.text);
  assertStringIncludes(ran.text, "Requires read access");
});

Deno.test("runner: paths and --filter narrow the run", async () => {
  const files = {
    "packages/events/a_test.ts": PASSES + FAILS + LEFT,
    "packages/recovery/a_test.ts": FAILS,
  };
  const ran = await run(files, [
    "packages/events",
    "--no-check",
    "--filter",
    "passes",
  ], "all");
  assertEquals(ran.lines.at(-1), "1 passed, 0 failed", ran.text);
  assertEquals(ran.code, 0);
});

Deno.test("runner: a wrong argument is told in one sentence", async () => {
  const files = { "packages/events/a_test.ts": PASSES };
  for (
    const args of [["nowhere"], ["packages/events/b_test.ts"], ["--filter"], [
      "--limit=soon",
    ]]
  ) {
    const ran = await run(files, args);
    assertEquals(ran.code, 2);
    assertMatch(ran.text, /^Cannot [^\n]+\n$/);
  }
});
