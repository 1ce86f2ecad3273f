/**
 * One of the two hosts: a program that keeps a stream with the other one, each
 * direction full, until it is told to finish. It reads JSON lines and writes
 * JSON lines. See `_peer_run.ts`.
 */
import { createHash } from "node:crypto";
import { openUpgrader, type Upgrader } from "@holdfast/handoff";
import {
  openFirewall,
  openPeer,
  type Peer,
  type PeerOptions,
} from "@holdfast/holdfast";
import type { ResumableConn } from "@holdfast/resume";
import { withoutReplay } from "@holdfast/resume/testing";
import { sqliteStore } from "@holdfast/resume/sqlite";
import { importIdentity } from "@holdfast/signal";
import { readLines, say } from "../../demos/main/lines.ts";
import { Pattern } from "./_peer_stream.ts";

/** What a host is told first. */
export interface HostSetup {
  readonly identity: string;
  /** The id of the other host; it is connected to. Without it, one is accepted. */
  readonly connectTo?: string;
  readonly brokers: readonly string[];
  readonly listen: boolean;
  readonly store?: string;
  /** Opens its own port in the firewall, and writes that down there. */
  readonly openPort?: string;
  readonly port?: number;
  /** What a cut loses is not sent again: a test that passes proves nothing. */
  readonly withoutReplay?: boolean;
}

const CHUNK_BYTES = 65_536;
const EVERY_MS = 25;
const finishing = Promise.withResolvers<void>();
let finished = false;
void finishing.promise.then(() => finished = true);

const upgrader = await openUpgrader();
const state = await upgrader.predecessorState();
const lines = readLines(Deno.stdin.readable);
const setup = state === undefined
  ? (await lines.next()).value as unknown as HostSetup
  : headOf(state);
try {
  await main();
} catch (error) {
  say({ type: "failed", error: (error as Error).stack ?? String(error) });
  Deno.exit(1);
}
Deno.exit(0);

function headOf(state: Uint8Array): HostSetup {
  const end = state.indexOf(0x0a);
  return JSON.parse(new TextDecoder().decode(state.subarray(0, end)));
}

async function main(): Promise<void> {
  const { connectTo, listen, store, openPort, port = 0 } = setup;
  const options: PeerOptions = {
    identity: await importIdentity(setup.identity),
    brokers: setup.brokers,
    ...(listen
      ? { listen: await upgrader.listen("peer", { hostname: "::", port }) }
      : {}),
    ...(setup.withoutReplay ? { stream: withoutReplay({}) } : {}),
    ...(store === undefined ? {} : { store: sqliteStore(store) }),
    ...(openPort === undefined
      ? {}
      : { openPort: openFirewall({ consent: true, ledger: openPort }) }),
    ...(state === undefined
      ? {}
      : { restore: state.subarray(state.indexOf(0x0a) + 1) }),
  };
  const peer = await openPeer(options);
  peer.on("*", (event) => {
    const inner = "event" in event ? event.event.type : "";
    if (
      event.type === "signalling" && !Deno.env.get("HOLDFAST_VERBOSE") &&
      !/^broker/.test(inner)
    ) return;
    say({ type: "event", event });
  });
  await upgrader.ready();
  const { limited } = peer.state;
  const at = (peer.addr as Deno.NetAddr | undefined)?.port;
  say({ type: "ready", pid: Deno.pid, port: at, limited });
  const conn = connectTo === undefined
    ? (await peer.accept()).conn
    : await peer.connect(connectTo);
  say({ type: "connected", sid: conn.sid, remote: conn.remoteAddr });
  const working = work(conn);
  void obey(upgrader, peer, working);
  const result = await working;
  if (result === undefined) return await new Promise(() => {}); // handed over
  await conn[Symbol.asyncDispose]();
  say({ type: "done", ...result, stats: peer.stats() });
  await peer.close();
}

/** Both directions at once; `undefined` when another process goes on. */
async function work(conn: ResumableConn) {
  const [sent, received] = await Promise.all([send(conn), receive(conn)]);
  return sent === undefined || received === undefined
    ? undefined
    : { sent, received };
}

async function send(conn: ResumableConn) {
  const from = conn.bytesWritten;
  const pattern = new Pattern(7);
  const hash = createHash("sha256");
  try {
    while (!finished) {
      const until = conn.bytesWritten + CHUNK_BYTES;
      while (conn.bytesWritten < until) {
        const bytes = pattern.at(conn.bytesWritten);
        const n = await conn.write(bytes);
        hash.update(bytes.subarray(0, n));
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    await conn.closeWrite();
  } catch (error) {
    return handedOver(error);
  }
  return { from, bytes: conn.bytesWritten, sha256: hash.digest("hex") };
}

async function receive(conn: ResumableConn) {
  const from = conn.bytesRead;
  const pattern = new Pattern(7);
  const hash = createHash("sha256");
  const into = new Uint8Array(CHUNK_BYTES);
  let last = performance.now();
  let longestGapMs = 0;
  try {
    for (;;) {
      const at = conn.bytesRead;
      const n = await conn.read(into);
      const now = performance.now();
      longestGapMs = Math.max(longestGapMs, now - last);
      last = now;
      if (n === null) break;
      const bytes = into.subarray(0, n);
      hash.update(bytes);
      const wrong = pattern.mismatch(at, bytes);
      if (wrong !== undefined) throw new Error(`Byte ${wrong} is wrong`);
    }
  } catch (error) {
    return handedOver(error);
  }
  const bytes = conn.bytesRead;
  return { from, bytes, sha256: hash.digest("hex"), longestGapMs };
}

function handedOver(error: unknown): undefined {
  if ((error as { code?: string }).code === "resume/suspended") {
    return undefined;
  }
  throw error;
}

async function obey(
  upgrader: Upgrader,
  peer: Peer,
  working: Promise<unknown>,
): Promise<void> {
  for await (const line of lines) {
    if (line.type === "finish") finishing.resolve();
    if (line.type !== "upgrade") continue;
    await upgrader.upgrade({
      command: Deno.execPath(),
      args: line.args as string[],
      stdin: "inherit",
      state: async () => {
        const bytes = await peer.suspend();
        await working;
        const head = new TextEncoder().encode(JSON.stringify(setup) + "\n");
        const out = new Uint8Array(head.length + bytes.length);
        out.set(head);
        out.set(bytes, head.length);
        return out;
      },
    });
    Deno.exit(0);
  }
  Deno.exit(1); // Whoever started this program is gone.
}
