/** Runs every program of docs/cookbook.md. */
import { assert, assertEquals } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { createIdentity } from "@holdfast/signal";
import { startBroker } from "../../tools/broker/spawn.ts";
import { programOf } from "./_page_program.ts";

const recipe = (word: string) => programOf("docs/cookbook.md", word);

Deno.test("cookbook: a game goes on after its server was killed", async () => {
  using game = await recipe("gameServer");
  const folder = await Deno.makeTempDir();
  const file = `${folder}/game.db`;
  // In a process of its own, to be killed.
  const program = `${folder}/server.ts`;
  await Deno.writeTextFile(
    program,
    `import { gameServer } from "file://${game.path}";
     const server = await gameServer(Deno.args[0], Number(Deno.args[1]));
     console.log((server.addr as Deno.NetAddr).port);`,
  );
  const start = async (port: number) => {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-check", "--no-prompt", "-A", "--config", "deno.json"],
        ...[program, file, `${port}`],
      ],
      ...{ stdin: "null", stdout: "piped" },
    }).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return { child, port: Number(new TextDecoder().decode(value)) };
  };
  const first = await start(0);
  const { step, leave } = await game.module.player(`127.0.0.1:${first.port}`);
  assertEquals([await step(), await step()], [1, 2]);
  first.child.kill("SIGKILL");
  await first.child.status;
  const second = await start(first.port);
  assertEquals([await step(), await step()], [3, 4]);
  await leave();
  second.child.kill("SIGKILL");
  await second.child.status;
  await Deno.remove(folder, { recursive: true });
});

Deno.test({
  name: "cookbook: a device is read by its owner, and by nobody else",
  async fn() {
    using iot = await recipe("readDevice");
    await using broker = await startBroker();
    const folder = await Deno.makeTempDir();
    const file = `${folder}/identity`;
    const identity = await iot.module.identityIn(file);
    assertEquals((await iot.module.identityIn(file)).id, identity.id);
    const owner = await createIdentity();
    const args = [[broker.url], "127.0.0.1"] as const;
    const device = await iot.module.device(identity, owner.id, args[0]);
    assertEquals(
      await iot.module.readDevice(owner, device.id, ...args),
      "21.5",
    );
    const stranger = await createIdentity();
    const refused = await iot.module.readDevice(stranger, device.id, ...args)
      .catch((error: { code: string }) => error.code);
    assertEquals(refused, "peer/refused");
    await device.close();
    await Deno.remove(folder, { recursive: true });
  },
});

testWith({
  name: "cookbook: lines are counted through a deploy",
  needs: ["linux", "sh"],
  async fn() {
    using deploy = await recipe("lineCounter");
    const text = (await Deno.readTextFile(deploy.path))
      .replace("lineCounter(7000)", "start()") +
      `\nasync function start() {
        const server = await lineCounter(0);
        console.log((server.addr as Deno.NetAddr).port, Deno.pid);
      }`;
    await Deno.writeTextFile(deploy.path, text);
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--no-prompt", "-A", deploy.path],
      ...{ stdin: "null", stdout: "piped" },
    }).spawn();
    const reader = child.stdout.getReader();
    const said = async () =>
      new TextDecoder().decode((await reader.read()).value).trim().split(" ")
        .map(Number);
    const [port, pid] = await said();
    const { connect } = await import("@holdfast/holdfast");
    const conn = await connect(`127.0.0.1:${port}`, { network: false });
    const line = async () => {
      await conn.write(new TextEncoder().encode("x\n"));
      const into = new Uint8Array(8);
      const n = await conn.read(into);
      return new TextDecoder().decode(into.subarray(0, n!));
    };
    assertEquals([await line(), await line()], ["1\n", "2\n"]);
    Deno.kill(pid!, "SIGHUP");
    const [samePort, next] = await said();
    assertEquals(samePort, port);
    assert(next !== pid);
    assertEquals([await line(), await line()], ["3\n", "4\n"]);
    conn.abort();
    Deno.kill(next!, "SIGKILL");
    await child.status;
    await reader.cancel();
  },
});

Deno.test("cookbook: a file arrives whole, and only from whom it may", async () => {
  using transfer = await recipe("sendFile");
  await using broker = await startBroker();
  const folder = await Deno.makeTempDir();
  const bytes = new Uint8Array(3_000_000);
  for (let at = 0; at < bytes.length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  await Deno.mkdir(`${folder}/in`);
  await Deno.writeFile(`${folder}/picture.bin`, bytes);
  const [sender, receiver] = [await createIdentity(), await createIdentity()];
  const brokers = [broker.url];
  const receiving = await transfer.module.receiveFiles(
    ...[`${folder}/in`, receiver, brokers],
    ...[(peer: string) => peer === sender.id, "127.0.0.1"],
  );
  await transfer.module.sendFile(
    ...[`${folder}/picture.bin`, receiver.id, sender, brokers],
  );
  assertEquals(await Deno.readFile(`${folder}/in/picture.bin`), bytes);
  await receiving[Symbol.asyncDispose]();
  await Deno.remove(folder, { recursive: true });
});

testWith({
  name: "cookbook: Python answers on a port that Deno opened",
  needs: ["python3"],
  async fn() {
    using python = await recipe("answerInPython");
    assertEquals(await python.module.answerInPython(), "hello from Python");
  },
});
