import { assert, assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import { testWith } from "@holdfast/testkit";
import { startBroker } from "@holdfast/testkit/broker";
import { createIdentity, openSignalling } from "./mod.ts";

const CLI = fileURLToPath(import.meta.resolve("./cli.ts"));

/** The command as users run it: a process, with the permissions of `--help`. */
function command(
  args: readonly string[],
  options: { readonly files?: string; readonly stdin?: "piped" | "null" } = {},
): Deno.ChildProcess {
  const { files = "/nonexistent", stdin = "null" } = options;
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--ignore-env",
      "--allow-net=127.0.0.1",
      `--allow-read=${files}`,
      `--allow-write=${files}`,
      CLI,
      ...args,
    ],
    stdin,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** A port on which nothing listens. */
function deadUrl(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return `mqtt://127.0.0.1:${listener.addr.port}`;
}

async function run(
  args: readonly string[],
  options?: { readonly files?: string },
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await command(args, options).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test("id makes an identity for its owner's eyes, and shows the same again", async () => {
  const files = await Deno.makeTempDir();
  try {
    const path = `${files}/key`;
    const first = await run(["id", "--identity", path], { files });
    assertEquals([first.code, first.err], [0, ""]);
    assertMatch(first.out, /^[A-Za-z0-9_-]{43}\n$/);
    const again = await run(["id", "--identity", path, "--json"], { files });
    assertEquals(JSON.parse(again.out), {
      type: "identity",
      id: first.out.trim(),
    });
    if (Deno.build.os !== "windows") {
      assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
    }
    await Deno.writeTextFile(path, "holdfast-secret-1:broken");
    const broken = await run(["id", "--identity", path], { files });
    assertEquals([broken.code, broken.out], [1, ""]);
    assert(!broken.err.includes("broken"), broken.err);
  } finally {
    await Deno.remove(files, { recursive: true });
  }
});

Deno.test("pub reaches sub, by text and by standard input", async () => {
  await using broker = await startBroker();
  const at = ["--broker", broker.url, "--json"];
  await using sub = command(["sub", "--count=2", ...at]);
  const errors = new Response(sub.stderr).text();
  const lines = sub.stdout.pipeThrough(new TextDecoderStream())
    .pipeThrough(splitLines()).getReader();
  const read = async () => JSON.parse((await lines.read()).value!);
  const { type, id } = await read();
  assertEquals(type, "listening");

  const one = await run(["pub", id, "hello there", ...at]);
  assertEquals([one.code, one.err], [0, ""]);
  const { type: what, peer } = JSON.parse(one.out);
  assertEquals([what, peer], ["acknowledged", id]);
  assertEquals((await read()).text, "hello there");

  const two = command(["pub", id, "-", ...at.slice(0, 2)], { stdin: "piped" });
  const writer = two.stdin.getWriter();
  await writer.write(new TextEncoder().encode("from a pipe"));
  await writer.close();
  const { code, stdout } = await two.output();
  assertEquals(code, 0);
  assertMatch(new TextDecoder().decode(stdout), /^Acknowledged by .* ms\n$/);
  const message = await read();
  assertEquals([message.type, message.text], ["message", "from a pipe"]);
  assertEquals((await lines.read()).done, true);
  assertEquals([(await sub.status).code, await errors], [0, ""]);
});

testWith({
  name: "sub ends well by Ctrl-C",
  needs: ["unix"],
  fn: async () => {
    await using broker = await startBroker();
    await using sub = command(["sub", "--broker", broker.url]);
    const errors = new Response(sub.stderr).text();
    const reader = sub.stdout.getReader();
    const { value } = await reader.read();
    assertMatch(new TextDecoder().decode(value), /^Listening as /);
    sub.kill("SIGINT");
    assertEquals((await reader.read()).done, true);
    assertEquals([(await sub.status).code, await errors], [0, ""]);
  },
});

Deno.test("failures take one sentence, exit codes tell whose they are", async () => {
  // Never dialled: each of these fails before.
  const dead = "mqtt://127.0.0.1:1";
  const { id } = await createIdentity();
  const cases: [number, string[]][] = [
    [2, []],
    [2, ["fly"]],
    [2, ["id"]],
    [2, ["sub"]],
    [2, ["sub", "--broker", "http://127.0.0.1"]],
    [2, ["sub", "--broker", dead, "--count", "none"]],
    [2, ["sub", "--shout"]],
    [2, ["pub", "bob", "hi", "--broker", dead]],
    [2, ["pub", id, "two", "words", "--broker", dead]],
    [2, ["pub", id, "hi"]],
    [1, ["id", "--identity", "/root/not/allowed"]],
  ];
  const results = await Promise.all(cases.map(([, args]) => run(args)));
  for (const [index, { code, out, err }] of results.entries()) {
    const [expected, args] = cases[index]!;
    assertEquals([code, out], [expected, ""], `${args.join(" ")}: ${err}`);
    assertMatch(err, /^[A-Z][^\n]+\n$/);
  }
  const help = await run(["--help"]);
  assertEquals(help.code, 0);
  assertMatch(help.out, /--allow-net/);
});

function splitLines(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(chunk, controller) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop()!;
      for (const line of lines) controller.enqueue(line);
    },
  });
}

Deno.test("id new makes an identity once, and never over a file", async () => {
  const files = await Deno.makeTempDir();
  try {
    const path = `${files}/key`;
    const first = await run(["id", "new", "--identity", path], { files });
    assertEquals([first.code, first.err], [0, ""]);
    const before = await Deno.readTextFile(path);
    const again = await run(["id", "new", "--identity", path], { files });
    assertEquals([again.code, again.out], [1, ""]);
    assertMatch(again.err, /^Cannot make identity .*there is a file already/);
    assertEquals(await Deno.readTextFile(path), before);
    const shown = await run(["id", "--identity", path], { files });
    assertEquals(shown.out, first.out);
  } finally {
    await Deno.remove(files, { recursive: true });
  }
});

Deno.test("peers tells who is there, and who does not answer", async () => {
  await using broker = await startBroker();
  const there = await openSignalling({
    identity: await createIdentity(),
    brokers: [broker.url],
  });
  const { id: absent } = await createIdentity();
  const args = ["peers", there.id, absent, "--broker", broker.url];
  const { code, out, err } = await run([...args, "--timeout", "3", "--json"]);
  await there.close();
  assertEquals([code, err], [0, ""]);
  const lines = out.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(
    new Map(lines.map(({ peer, status }) => [peer, status])),
    new Map([[there.id, "online"], [absent, "no answer"]]),
  );
  const none = await run(["peers", "--broker", broker.url]);
  assertEquals([none.code, none.out], [2, ""]);
  assertMatch(none.err, /^Cannot look for peers: no id/);
});

Deno.test("brokers tells how each stands", async () => {
  await using broker = await startBroker();
  const dead = deadUrl();
  const flags = ["--broker", broker.url, "--broker", dead];
  const { code, out, err } = await run(["brokers", ...flags, "--json"]);
  assertEquals([code, err], [0, ""]);
  const lines = out.trim().split("\n").map((line) => JSON.parse(line));
  const byUrl = new Map(lines.map(({ url, ...state }) => [url, state]));
  assertEquals(byUrl.get(broker.url).status, "up");
  assertEquals(byUrl.get(broker.url).version, "3.1.1");
  assertEquals(byUrl.get(dead).status, "down");
  const shown = await run(["brokers", ...flags]);
  assertMatch(shown.out, /^up .*MQTT 3\.1\.1.* ms$/m);
  const bad = await run(["brokers", ...flags, "--for", "bob"]);
  assertEquals([bad.code, bad.out], [2, ""]);
});

Deno.test("a peer id that begins with a dash is a peer id", async () => {
  let identity = await createIdentity();
  while (!identity.id.startsWith("-")) identity = await createIdentity();
  await using broker = await startBroker();
  const brokers = [broker.url];
  await using there = await openSignalling({ identity, brokers });
  const flags = ["--broker", broker.url];
  const sent = await run(["pub", there.id, "hello", ...flags]);
  assertEquals([sent.code, sent.err], [0, ""]);
  const { value } = await there.receive().next();
  assertEquals(new TextDecoder().decode(value!.bytes), "hello");
  const seen = await run(["peers", there.id, ...flags, "--timeout", "10"]);
  assertEquals([seen.code, seen.out], [0, `${there.id}  online\n`]);
  const order = await run(["brokers", "--for", there.id, ...flags]);
  assertEquals([order.code, order.err], [0, ""]);
});
