/**
 * Run by handover_test.ts: keeps connections, each with a count of its lines,
 * and gives them to its successor when told `upgrade`. With `fail` its
 * successors crash after they have the connections.
 */
import { adopt, openUpgrader } from "../mod.ts";

const [mode] = Deno.args;
const encoder = new TextEncoder(), decoder = new TextDecoder();
const upgrader = await openUpgrader();
const web = await upgrader.listen("web", { port: 0 });
const conns = new Map<Deno.TcpConn, number>();

async function serve(conn: Deno.TcpConn, count: number): Promise<void> {
  conns.set(conn, count);
  const buffer = new Uint8Array(1024);
  try {
    for (let n; (n = await conn.read(buffer)) !== null;) {
      const line = decoder.decode(buffer.subarray(0, n)).trim();
      conns.set(conn, conns.get(conn)! + 1);
      await conn.write(encoder.encode(`${Deno.pid} ${conns.get(conn)}\n`));
      if (line === "upgrade") void upgrade();
    }
  } catch {
    return; // Given away, or broken.
  }
}

async function upgrade(): Promise<void> {
  try {
    await upgrader.upgrade({
      command: Deno.execPath(),
      args: [
        "run",
        "-A",
        "--no-check",
        import.meta.url,
        mode === "fail" ? "crash" : mode!,
      ],
      connections: () => [...conns].map(([socket, meta]) => ({ socket, meta })),
      thaw: async (back) => {
        conns.clear();
        for (const { socket, meta } of back) {
          void serve(await adopt(socket, "conn"), meta as number);
        }
      },
    });
  } catch {
    return; // Rolled back: this process serves on.
  }
  await upgrader.exit();
}

for (const socket of await upgrader.connections()) {
  if (mode === "crash") Deno.exit(3);
  void serve(await adopt(socket, "conn"), socket.meta as number);
}
await upgrader.ready();
Deno.stdout.writeSync(encoder.encode(`${web.addr.port}\n`));
for await (const conn of web) void serve(conn, 0);
