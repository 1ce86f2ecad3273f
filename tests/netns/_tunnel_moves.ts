/**
 * Two machines with a cable between them: `holdfast tunnel connect` on one,
 * `serve` and its target on the other. The first gets a new address and loses
 * its old one, again and again, while a program streams through.
 */
import { assert, assertEquals } from "@std/assert";
import { deadline, delay } from "@std/async";
import { Running } from "../process/_tunnel_world.ts";

const MOVES = 8;
const LONG_MS = 120_000;
const SERVER = "10.90.0.1";
const ECHO = `
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log("port", listener.addr.port);
for await (const conn of listener) {
  conn.readable.pipeTo(conn.writable).catch(() => {});
}`;

async function run(line: string): Promise<void> {
  const [command, ...args] = line.split(" ");
  const { success, stderr } = await new Deno.Command(command!, { args })
    .output();
  assert(success, `${line}: ${new TextDecoder().decode(stderr)}`);
}

await using stack = new AsyncDisposableStack();
const far = stack.use(
  new Running("unshare", ["-n", "sh", "-c", "echo up; exec sleep 600"]),
);
await far.says(/up/);
const { pid } = far.child;
const there = ["-t", String(pid), "-n"];
for (
  const line of [
    "ip link set lo up",
    "ip link add near type veth peer name far",
    `ip link set far netns ${pid}`,
    "ip addr add 10.90.0.10/24 dev near",
    "ip link set near up",
    `nsenter -t ${pid} -n ip link set lo up`,
    `nsenter -t ${pid} -n ip addr add ${SERVER}/24 dev far`,
    `nsenter -t ${pid} -n ip link set far up`,
  ]
) await run(line);

const deno = [Deno.execPath(), "run", "--no-prompt", "-A"];
const tunnel = [...deno, "cli.ts", "tunnel"];
const target = stack.use(
  new Running("nsenter", [...there, Deno.execPath(), "eval", ECHO]),
);
const port = (await target.says(/port (\d+)/))[1];
const serve = stack.use(
  new Running("nsenter", [
    ...[...there, ...tunnel, "serve", "--json", "--open"],
    ...["--listen", `${SERVER}:7000`, "--to", `127.0.0.1:${port}`],
  ]),
);
await serve.says(/listening/);
const [command, ...args] = tunnel;
const connect = stack.use(
  new Running(command!, [
    ...[...args, "connect", "--json"],
    ...["--listen", "127.0.0.1:0", "--to", `${SERVER}:7000`],
  ]),
);
const entry = await connect.says(/"listening":"127\.0\.0\.1:(\d+)"/);

let moving = true;
const program = await Deno.connect({
  hostname: "127.0.0.1",
  port: Number(entry[1]),
});
const byteAt = (at: number) => (at * 31 + (at >>> 8)) & 0xff;
let [sent, got] = [0, 0];
const writing = (async () => {
  while (moving) {
    const from = sent;
    const chunk = Uint8Array.from({ length: 4096 }, (_, i) => byteAt(from + i));
    for (let at = 0; at < chunk.length;) {
      at += await program.write(chunk.subarray(at));
    }
    sent += chunk.length;
    await delay(2);
  }
  await program.closeWrite();
})();
const reading = (async () => {
  const into = new Uint8Array(16_384);
  for (let n; (n = await program.read(into)) !== null;) {
    for (let i = 0; i < n; i++) assertEquals(into[i], byteAt(got + i));
    got += n;
  }
})();
await connect.says(/connection-opened/);
for (let i = 0; i < MOVES; i++) {
  await run(`ip addr del 10.90.0.${10 + i}/24 dev near`);
  await run(`ip addr add 10.90.0.${11 + i}/24 dev near`);
  await connect.says(/connection-resumed/, i + 1);
  const before = got;
  while (got < before + 100_000) await delay(5);
}
moving = false;
await deadline(Promise.all([writing, reading]), LONG_MS);
assertEquals(got, sent);
// It need not wait for heartbeats: the watch says that the address is gone.
assert(/"reason":"path-lost"/.test(connect.said), connect.said);
assert(!/connection-failed/.test(connect.said + serve.said));
program.close();
await stack.disposeAsync();
Deno.exit(0);
