// deno-lint-ignore-file no-console -- the runner reads it
/**
 * In a namespace of its own, with a server in another one: packets that are
 * swallowed while data is under way and while nothing is, and a server that is
 * frozen, whose kernel goes on acknowledging.
 */
import { assertEquals } from "@std/assert";
import { deadline, delay } from "@std/async";
import { watchLiveness } from "../mod.ts";
import { sh } from "./in_namespace.ts";

const PORT = 7000;
const HERE = "10.66.2.1";
const THERE = "10.66.2.2";
const SOON_MS = 20_000;

const other = new Deno.Command("unshare", {
  args: ["-n", Deno.execPath(), "run", "--allow-net", "-"],
  ...{ stdin: "piped", stdout: "piped" },
}).spawn();
const writer = other.stdin.getWriter();
await writer.write(new TextEncoder().encode(`
  const listener = Deno.listen({ hostname: "0.0.0.0", port: ${PORT} });
  console.log("listening");
  for await (const conn of listener) {
    // An echo.
    conn.readable.pipeTo(conn.writable).catch(() => {});
  }
`));
await writer.close();
const reader = other.stdout.getReader();
await reader.read();
const there = `nsenter -t ${other.pid} -n`;
await sh(`
ip link set lo up
ip link add vA type veth peer name vB
ip link set vB netns ${other.pid}
ip addr add ${HERE}/24 dev vA
ip link set vA up
${there} sh -ec 'ip link set lo up; ip addr add ${THERE}/24 dev vB; ip link set vB up'`);
const swallow = () => sh(`${there} iptables -A INPUT -p tcp -j DROP`);
const carry = () => sh(`${there} iptables -F`);
const connect = () => Deno.connect({ hostname: THERE, port: PORT });

async function echo(conn: Deno.Conn): Promise<void> {
  await conn.write(Uint8Array.of(1));
  const into = new Uint8Array(1);
  await deadline(conn.read(into).then(() => {}), SOON_MS);
}

try {
  // 1: with data under way, by the kernel's word; plain Deno says nothing.
  {
    using conn = await connect();
    await echo(conn);
    await swallow();
    using liveness = watchLiveness(conn);
    assertEquals(liveness.by, ["kernel"]);
    const dead = liveness.once("path-dead");
    let plain = "silent";
    conn.read(new Uint8Array(1)).then(
      () => plain = "read",
      () => plain = "failed",
    );
    await conn.write(new Uint8Array(1_000));
    const event = await deadline(dead, SOON_MS);
    assertEquals(event, { type: "path-dead", reason: "unacknowledged" });
    assertEquals(plain, "silent");
    assertEquals(await conn.write(new Uint8Array(1_000)), 1_000);
    await carry();
  }
  // 2: a peer that is frozen is none that is gone.
  {
    using conn = await connect();
    await echo(conn);
    other.kill("SIGSTOP");
    using liveness = watchLiveness(conn);
    let dead = false;
    liveness.on("path-dead", () => dead = true);
    for (let i = 0; i < 12; i++) {
      await conn.write(new Uint8Array(1_000));
      await delay(300);
    }
    assertEquals(dead, false);
    other.kill("SIGCONT");
  }
  // 3: an idle one, by its heartbeat.
  {
    using conn = await connect();
    await echo(conn);
    await swallow();
    using liveness = watchLiveness(conn, {
      heartbeatMs: 100,
      heartbeat: () => new Promise(() => {}),
    });
    const event = await deadline(liveness.once("path-dead"), SOON_MS);
    assertEquals(event.reason, "heartbeat-missed");
    await carry();
  }
} finally {
  other.kill("SIGKILL");
  await other.status;
  await reader.cancel();
}
console.log("done");
Deno.exit(0);
