// deno-lint-ignore-file no-console -- a program of its own
/**
 * Echoes over WebSockets, and is killed at any moment: its sessions are in a
 * file, and what it echoed is committed with what it read.
 *
 *     durable_echo_server.ts PORT FILE
 */
import { acceptResumable, type ResumableConn } from "@holdfast/resume";
import { sqliteStore } from "@holdfast/resume/sqlite";
import { webSocketTransports } from "@holdfast/resume/websocket";

const NO_STATE = new Uint8Array(0);

async function echo(conn: ResumableConn): Promise<void> {
  const into = new Uint8Array(64 * 1024);
  for (let n; (n = await conn.read(into)) !== null;) {
    for (let at = 0; at < n;) at += await conn.write(into.subarray(at, n));
    await conn.commit(conn.bytesRead, NO_STATE);
  }
  await conn.closeWrite();
  conn.close();
}

const [port, file] = Deno.args;
const transports = webSocketTransports();
const server = acceptResumable(transports, {
  store: sqliteStore(file!),
  commits: "manual",
  heartbeatMs: 300,
});
Deno.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  onListen: ({ port }) => console.log("port", port),
}, (request) => transports.handle(request));
for await (const conn of server) echo(conn).catch(() => {});
