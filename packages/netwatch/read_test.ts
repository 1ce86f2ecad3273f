import { assert, assertEquals, assertRejects } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { readSnapshot } from "./read.ts";
import type { NetworkSnapshot } from "./snapshot.ts";

const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** Reads a snapshot in a process with just these rights. */
async function readWith(...rights: string[]): Promise<string> {
  const read = new URL("./read.ts", import.meta.url);
  const program = `import { readSnapshot } from ${JSON.stringify(read.href)};
try { console.log(JSON.stringify(await readSnapshot())); }
catch (error) { console.log(JSON.stringify({ code: error.code, message: error.message })); }`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-check",
      "--config",
      CONFIG,
      ...rights,
      `data:text/javascript,${encodeURIComponent(program)}`,
    ],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  assert(stdout.length > 0, decoder.decode(stderr));
  return decoder.decode(stdout);
}

testWith({
  name: "readSnapshot() tells what Deno.networkInterfaces() tells, and more",
  needs: ["ip"],
  fn: async () => {
    const snapshot = await readSnapshot();
    assertEquals(snapshot.sources, ["ip"]);
    assertEquals(snapshot.problems, []);
    const ours = snapshot.interfaces.flatMap(({ name, addresses }) =>
      addresses.map(({ address, prefix }) => `${name} ${address}/${prefix}`)
    );
    const denos = Deno.networkInterfaces().map(({ name, cidr }) =>
      `${name} ${cidr}`
    );
    assertEquals(ours.sort(), denos.sort());
    assertEquals(
      snapshot.interfaces.find(({ name }) => name === "lo")?.kind,
      "loopback",
    );
    assertEquals(JSON.parse(JSON.stringify(snapshot)), snapshot);
  },
});

testWith({
  name: "readSnapshot() needs nothing but --allow-run=ip on Linux",
  needs: ["ip"],
  fn: async () => {
    const snapshot: NetworkSnapshot = JSON.parse(
      await readWith("--allow-run=ip"),
    );
    assertEquals(snapshot.sources, ["ip"]);
  },
});

Deno.test("readSnapshot() without ip shows addresses and says what is missing", async () => {
  const snapshot: NetworkSnapshot = JSON.parse(
    await readWith("--allow-sys=networkInterfaces"),
  );
  assertEquals(snapshot.sources, ["Deno.networkInterfaces"]);
  assertEquals(snapshot.sees, ["addresses"]);
  assert(snapshot.interfaces.length > 0);
  assertEquals("online" in snapshot, false);
  assert(/add --allow-run=(ip|netstat|route)/.test(snapshot.problems[0]!));
});

Deno.test("readSnapshot() without any right fails with the flags that help", async () => {
  const { code, message } = JSON.parse(await readWith());
  assertEquals(code, "netwatch/not-permitted");
  assert(message.includes("--allow-sys=networkInterfaces"));
  assert(message.includes("--allow-run=ip"));
});

Deno.test("readSnapshot() rejects with the reason of its signal", async () => {
  const reason = new Error("enough");
  await assertRejects(
    () => readSnapshot({ signal: AbortSignal.abort(reason) }),
    Error,
    "enough",
  );
  const controller = new AbortController();
  const reading = readSnapshot({ signal: controller.signal });
  controller.abort(reason);
  await assertRejects(() => reading, Error, "enough");
});
