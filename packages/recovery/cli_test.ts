import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { failures } from "./failures.ts";

const CLI = new URL("./cli.ts", import.meta.url).pathname;

async function run(permissions: readonly string[], ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", ...permissions, CLI, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const [out, err] = [stdout, stderr].map((bytes) => decoder.decode(bytes));
  assert(!err!.includes("    at "), err);
  return { code, out: out!, err: err!.trim() };
}

Deno.test("cli: check reaches a listener, in words and as JSON", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const target = `127.0.0.1:${listener.addr.port}`;
  const words = await run([`--allow-net=${target}`], "check", target);
  assertEquals([words.code, words.err], [0, ""]);
  assertStringIncludes(words.out, "Reached in");
  const json = await run([`--allow-net=${target}`], "check", target, "--json");
  assertEquals(json.code, 0);
  assertEquals(
    json.out.trim().split("\n").map((line) => JSON.parse(line).type),
    ["attempt-started", "attempt-succeeded", "reached"],
  );
});

Deno.test("cli: check says what is wrong, and what helps", async () => {
  let target: string;
  {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    target = `127.0.0.1:${listener.addr.port}`;
  }
  const refused = await run(
    [`--allow-net=${target}`],
    "check",
    target,
    "--deadline",
    "50",
    "--json",
  );
  assertEquals(refused.code, 1);
  assertEquals(refused.err.split("\n").length, 1);
  assertStringIncludes(refused.err, "Nobody listens there now (refused: ");
  const last = JSON.parse(refused.out.trim().split("\n").at(-1)!);
  assertEquals(last.verdict.failure, "refused");

  const forbidden = await run([], "check", target);
  assertEquals(forbidden.code, 1);
  assertStringIncludes(forbidden.err, "permission-missing");
});

Deno.test("cli: failures lists the catalogue without any permission", async () => {
  const { code, out } = await run([], "failures", "--json");
  assertEquals(code, 0);
  assertEquals(out.trim().split("\n").map((l) => JSON.parse(l)), [...failures]);
  const words = await run([], "failures");
  for (const { id } of failures) assertStringIncludes(words.out, `${id} (`);
});

Deno.test("cli: bad usage is one sentence and exit code 2", async () => {
  for (
    const args of [
      [],
      ["check"],
      ["check", "example.com"],
      ["check", "example.com:0"],
      ["check", "::1:80"],
      ["check", "foo..bar:80"],
      ["doctor", "1.2.3.4%lo:80"],
      ["doctor", "--broker", "mqtt://"],
      ["check", "a:1", "--deadline", "soon"],
      ["check", "a:1", "--nonsense"],
      ["failures", "x"],
    ]
  ) {
    const { code, out, err } = await run([], ...args);
    assertEquals([code, out], [2, ""], args.join(" "));
    assertEquals(err.split("\n").length, 1, err);
  }
  const help = await run([], "--help");
  assertEquals(help.code, 0);
  assertStringIncludes(help.out, "--allow-net");
});

Deno.test("cli: doctor names the root cause with one fix, in words and as JSON", async () => {
  let target: string;
  {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    target = `127.0.0.1:${listener.addr.port}`;
  }
  const permissions = ["--allow-net=127.0.0.1", "--allow-read=/etc"];
  const args = ["doctor", target, "--portal", "none"];
  const words = await run(permissions, ...args);
  assertEquals([words.code, words.err], [1, ""]);
  assertStringIncludes(words.out, "✗ connection");
  assertStringIncludes(words.out, "(target-refused)\n  fix: Start the service");
  const { code, out } = await run(permissions, ...args, "--json");
  assertEquals(code, 1);
  assertEquals(JSON.parse(out).causes[0].id, "target-refused");
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const fine = await run(
    permissions,
    ...["doctor", `127.0.0.1:${listener.addr.port}`, "--portal", "none"],
  );
  assertEquals([fine.code, fine.out.includes("Nothing is wrong")], [0, true]);
});

Deno.test("cli: doctor says in one sentence what it cannot take", async () => {
  for (
    const [args, sentence] of [
      [["--idle", "soon"], "--idle must be 0 to 3600 seconds"],
      [["--broker", "a b"], '--broker "a b" is no such URL'],
      [["--portal", "https://a/"], "--portal"],
      [["a:99999"], "it is not HOST:PORT"],
    ] as const
  ) {
    const { code, out, err } = await run([], "doctor", ...args);
    assertEquals([code, out], [2, ""]);
    assertStringIncludes(err, sentence);
    assertEquals(err.split("\n").length, 1);
  }
});
