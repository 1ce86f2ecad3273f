/**
 * Run by upgrader_test.ts: a server that replaces itself when a client says
 * so. Prints one JSON line when it serves. Its first argument is a
 * `ServerPlan`.
 *
 * Each connection is one request, a line:
 * - `who` is answered with the process id, after a moment of work;
 * - `upgrade PLAN` starts a successor with that plan, and is answered with
 *   what came of it;
 * - `stop` ends the process.
 */
import { HandoffError, openUpgrader, type SocketConn } from "../mod.ts";

/** How a process is to behave. */
export interface ServerPlan {
  /** Where it fails; `garbage` speaks no protocol at all. */
  readonly fail?: "early" | "late" | "never-ready" | "garbage";
  /** How long its predecessor takes to give its state. */
  readonly freezeMs?: number;
  /** How much state its predecessor gives it. */
  readonly stateBytes?: number;
  /** How long its predecessor waits for it. */
  readonly timeoutMs?: number;
  /** Whether its predecessor stays after the upgrade. */
  readonly linger?: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const plan: ServerPlan = JSON.parse(Deno.args[0] ?? "{}");
let frozen = 0, thawed = 0;

if (plan.fail === "garbage") {
  const { Socket } = await import("node:net");
  const fd = Number(Deno.env.get("HOLDFAST_CONTROL_FD"));
  new Socket({ fd }).write("GET / HTTP/1.1\r\n\r\n");
  await new Promise((resolve) => setTimeout(resolve, 20_000));
}
await using upgrader = await openUpgrader();
if (plan.fail === "early") Deno.exit(3);
const web = await upgrader.listen("web", { port: 0 });
const state = await upgrader.predecessorState();
if (plan.fail === "late") Deno.exit(4);
if (plan.fail === "never-ready") {
  await new Promise((resolve) => setTimeout(resolve, 20_000));
}
await upgrader.ready();
await Deno.stdout.write(encoder.encode(
  JSON.stringify({
    pid: Deno.pid,
    port: web.addr.port,
    bytes: state?.byteLength ?? null,
    digest: state === undefined ? null : await digestOf(state),
  }) + "\n",
));

const open = new Set<Promise<void>>();
for await (const conn of web) {
  const work = answer(conn).catch(() => {}).finally(() => open.delete(work));
  open.add(work);
}
await Promise.all(open);

async function answer(conn: SocketConn): Promise<void> {
  using _conn = conn;
  const buffer = new Uint8Array(1024);
  const count = await conn.read(buffer) ?? 0;
  const line = decoder.decode(buffer.subarray(0, count)).trim();
  if (line === "who") {
    await new Promise((resolve) => setTimeout(resolve, 2));
    await conn.write(encoder.encode(`${Deno.pid}`));
  } else if (line.startsWith("upgrade ")) {
    const next: ServerPlan = JSON.parse(line.slice("upgrade ".length));
    await conn.write(encoder.encode(JSON.stringify(await upgrade(next))));
    if (upgrader.state.phase === "superseded" && !next.linger) web.close();
  } else if (line === "stop") {
    await conn.write(encoder.encode("stopping"));
    web.close();
  }
}

async function upgrade(next: ServerPlan): Promise<unknown> {
  const data = new Uint8Array(next.stateBytes ?? 0);
  for (let i = 0; i < data.length; i++) data[i] = (i * 31 + (i >> 11)) & 255;
  try {
    const successor = await upgrader.upgrade({
      command: Deno.execPath(),
      args: ["run", "-A", import.meta.url, JSON.stringify(next)],
      ...(next.timeoutMs ? { timeoutMs: next.timeoutMs } : {}),
      state: async () => {
        frozen++;
        await new Promise((resolve) => setTimeout(resolve, next.freezeMs ?? 0));
        return data;
      },
      thaw: () => void thawed++,
    });
    return { pid: successor.pid, digest: await digestOf(data), frozen, thawed };
  } catch (error) {
    if (!(error instanceof HandoffError)) throw error;
    const { code, message } = error;
    return { code, message, frozen: error.frozen, froze: frozen, thawed };
  }
}

async function digestOf(bytes: Uint8Array): Promise<string> {
  const copy = new Uint8Array(bytes);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", copy)).toHex();
}
