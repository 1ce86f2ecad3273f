// deno-lint-ignore-file no-console -- that is what its test looks at
/**
 * `tls|unix`: a supervised server that runs out of descriptors, in a process that
 * may have few (`ulimit -n`); whether it serves again afterwards, whether it
 * answers what was under way before `shutdown()` is over, and whether a
 * connection from before the failure ends with it. Prints one line of JSON.
 */
import { superviseServe } from "../mod.ts";

const [how, folder] = Deno.args;
const read = (name: string) =>
  Deno.readTextFile(new URL(name, import.meta.url));
const [cert, key] = await Promise.all([read("./cert.pem"), read("./key.pem")]);
const path = `${folder}/socket`;
const gate = Promise.withResolvers<void>();
const handler = async (request: Request): Promise<Response> => {
  if (request.url.endsWith("/slow")) await gate.promise;
  return new Response("hello");
};
const server = how === "unix"
  ? superviseServe({ path }, handler)
  : superviseServe({ port: 0, cert, key }, handler);
const told: string[] = [];
server.on("*", ({ type }) => told.push(type));

async function connect(): Promise<Deno.Conn> {
  if (how === "unix") return await Deno.connect({ transport: "unix", path });
  const { port } = server.addr as Deno.NetAddr;
  const conn = await Deno.connectTls({
    ...{ hostname: "127.0.0.1", port, caCerts: [cert] },
  });
  await conn.handshake();
  return conn;
}

async function ask(conn: Deno.Conn, what: string): Promise<string> {
  const request = `GET ${what} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  await conn.write(new TextEncoder().encode(request));
  const buffer = new Uint8Array(1_000);
  const count = await conn.read(buffer).catch(() => null);
  const text = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
  return text.endsWith("hello") ? "hello" : "ended";
}

const news = (type: "serve-failed" | "serve-resumed") => server.once(type);
const before = await connect();
const answers = [await ask(before, "/")];
// A connection that is asked for while there is room for its own end alone.
const failed = news("serve-failed");
const resumed = news("serve-resumed");
const held: Deno.FsFile[] = [];
try {
  for (;;) held.push(Deno.openSync("/dev/null"));
} catch {
  held.pop()?.close();
}
const queued = how === "unix"
  ? Deno.connect({ transport: "unix", path })
  : Deno.connect(server.addr as Deno.NetAddr & { transport: "tcp" });
const last = await queued.catch(() => undefined);
await failed;
for (const file of held) file.close();
last?.close();
await resumed;
const after = await connect();
answers.push(await ask(after, "/"));
after.close();

const order: string[] = [];
const slow = ask(before, "/slow");
await new Promise((resolve) => setTimeout(resolve, 50));
const down = server.shutdown().then(() => order.push("down"));
await new Promise((resolve) => setTimeout(resolve, 50));
order.push("answered");
gate.resolve();
answers.push(await slow);
await down;
const end = await ask(before, "/").catch(() => "ended");
console.log(JSON.stringify({ told, answers, order, end }));
Deno.exit(0);
