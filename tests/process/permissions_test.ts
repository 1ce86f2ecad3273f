import { assert, assertEquals } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { AUDIT, runPart, withTable } from "../../tools/_audit.ts";
import { startBroker } from "../../tools/broker/spawn.ts";

for (const { part, flags } of AUDIT) {
  testWith({
    name:
      `${part}: the flags of the README are enough, and none can be left out`,
    needs: ["ip", "sh"],
    async fn() {
      await using broker = await startBroker();
      const folder = await Deno.makeTempDir();
      const run = (some: readonly string[], i: number) =>
        runPart(part, some, broker.url, `${folder}/${i}.db`);
      assertEquals(await run(flags, 0), "ok");
      for (const [i, flag] of flags.entries()) {
        const said = await run(flags.filter((one) => one !== flag), i + 1);
        assert(said !== "ok", `${part} does not need ${flag}`);
      }
      await Deno.remove(folder, { recursive: true });
    },
  });
}

Deno.test("the permission table of the README is that of the audit", async () => {
  const readme = await Deno.readTextFile("README.md");
  const path = await Deno.makeTempFile({ suffix: ".md" });
  await Deno.writeTextFile(path, withTable(readme));
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "-q", path] })
    .output();
  assertEquals(
    readme,
    await Deno.readTextFile(path),
    "run deno task update-permissions",
  );
  await Deno.remove(path);
});

const PROGRAM = "tools/audit/program.ts";

testWith({
  name:
    "without the program ip, and with no PATH at all, a peer says what it lacks and the rest works",
  needs: ["linux"],
  async fn() {
    await using broker = await startBroker();
    const { success, stdout, stderr } = await new Deno.Command(
      Deno.execPath(),
      {
        args: [
          ...["run", "--no-check", "--no-prompt", "--ignore-env"],
          ...["--allow-net=127.0.0.1", "--allow-sys=networkInterfaces"],
          ...["--allow-run", PROGRAM, "peer-network", broker.url],
        ],
        ...{ clearEnv: true, stdin: "null" },
        env: { PATH: "/nowhere", HOME: Deno.env.get("HOME") ?? "/" },
      },
    ).output();
    const decoder = new TextDecoder();
    assert(success, decoder.decode(stderr));
    const limited = JSON.parse(decoder.decode(stdout)) as string[];
    assertEquals(limited.length, 2);
    assert(limited.every((why) => /watch|monitor|ip/.test(why)), `${limited}`);
  },
});

Deno.test("a peer with no permission but the network works, and says what would help", async () => {
  await using broker = await startBroker();
  const flags = ["--allow-net=127.0.0.1", "--ignore-env"];
  const said = await runPart("peer-network", flags, broker.url, "");
  assert(
    said.includes("run with --allow-sys=networkInterfaces --allow-run=ip"),
    said,
  );
});
