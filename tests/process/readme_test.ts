/** Runs what the README only defines; the rest of it runs with --doc. */
import { assert, assertEquals } from "@std/assert";
import { createIdentity, openSignalling } from "@holdfast/signal";
import { startBroker } from "../../tools/broker/spawn.ts";
import { programFile, programOf } from "./_page_program.ts";

Deno.test("README: the first example prints an id, and greets it", async () => {
  await using broker = await startBroker();
  using program = await programFile(
    "README.md",
    "greet",
    (code) =>
      code.replaceAll(/mqtt:\/\/broker-\w+\.example/g, broker.url)
        // One broker under two names is one too many.
        .replace(/, "mqtt[^\]]*\]/, "]") +
      "\nawait (Deno.args[0] ? greet(Deno.args[0]) : serve());",
  );
  const run = (...args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-check", "--no-prompt", "-A", program.path, ...args],
      ],
      ...{ stdin: "null", stdout: "piped" },
    }).spawn();
  const serving = run();
  const reader = serving.stdout.getReader();
  const said = async () =>
    new TextDecoder().decode((await reader.read()).value).trim();
  const greeting = run(await said());
  assert(/is here, from/.test(await said()));
  assertEquals((await greeting.output()).code, 0);
  serving.kill("SIGKILL");
  await serving.status;
  await reader.cancel();
});

Deno.test("README: a message is told, and resolves when the peer has it", async () => {
  await using broker = await startBroker();
  using program = await programOf("README.md", "export async function tell");
  await using bob = await openSignalling({
    ...{ identity: await createIdentity(), brokers: [broker.url] },
  });
  await program.module.tell(bob.id, [broker.url]);
  for await (const { bytes } of bob.receive()) {
    assertEquals(new TextDecoder().decode(bytes), "it is me");
    break;
  }
});

Deno.test("README: what would open a port is explained", async () => {
  using program = await programOf("README.md", "explain");
  const lines = await program.module.explain(8080);
  assert(lines.length > 0 && lines.every((line: string) => line !== ""));
});

Deno.test("deno task doc builds the site of all entry points", async () => {
  const output = await Deno.makeTempDir();
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-read", "--allow-run", "tools/doc_site.ts", output],
    stdout: "null",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const page = await Deno.readTextFile(`${output}/all_symbols.html`);
  for (const name of ["openPeer", "logEvents", "instrument", "dialWebSocket"]) {
    assert(page.includes(name), name);
  }
  await Deno.remove(output, { recursive: true });
});
