/**
 * The server program of the demo: takes one client, whose id it knows, streams
 * a file each way, and lets itself be replaced in the middle of it.
 */
import { openUpgrader, type Upgrader } from "@holdfast/handoff";
import { openPeer, type Peer, type PeerConnection } from "@holdfast/holdfast";
import { withoutReplay } from "@holdfast/resume/testing";
import { importIdentity } from "@holdfast/signal";
import { fail, type Line, readLines, say } from "./lines.ts";
import { Notes } from "./notes.ts";
import { readState, writeState } from "./successor.ts";
import { type Position, transfer } from "./transfer.ts";

/** What the server is told at its start, and passes to its successor. */
interface Setup {
  readonly identity: string;
  readonly client: string;
  readonly brokers: readonly string[];
  readonly advertise: readonly { hostname: string; port: number }[];
  readonly outPath: string;
  readonly inPath: string;
  readonly rateBytesPerS: number;
  readonly replay: boolean;
  readonly notes: number;
  readonly args: readonly string[];
}

const PROGRESS_MS = 100;

const lines = readLines(Deno.stdin.readable);
try {
  await main();
} catch (error) {
  fail(error);
}
Deno.exit(0);

async function main(): Promise<void> {
  const upgrader = await openUpgrader();
  const state = await upgrader.predecessorState();
  if (state === undefined) {
    const { value: setup } = await lines.next();
    const position = { sent: 0, received: 0 };
    return await serve(
      upgrader,
      setup as unknown as Setup,
      position,
      undefined,
    );
  }
  const { head, peerState } = readState<{ setup: Setup; position: Position }>(
    state,
  );
  await serve(upgrader, head.setup, head.position, peerState);
}

async function serve(
  upgrader: Upgrader,
  setup: Setup,
  position: Position,
  restore: Uint8Array | undefined,
): Promise<void> {
  const stream = { heartbeatMs: 500, redialMaxMs: 500 };
  const peer = await openPeer({
    identity: await importIdentity(setup.identity),
    brokers: setup.brokers,
    listen: await upgrader.listen("stream", { port: 0 }),
    advertise: setup.advertise,
    allow: (id) => id === setup.client,
    stream: setup.replay ? stream : withoutReplay(stream),
    restore,
  });
  peer.on("*", (event) => say({ type: "event", event }));
  await upgrader.ready();
  const { port } = peer.addr as Deno.NetAddr;
  say({
    type: "serving",
    pid: Deno.pid,
    port,
    restored: restore !== undefined,
  });
  const accepted = await peer.accept();
  const { conn } = accepted;
  if (
    conn.bytesRead !== position.received || conn.bytesWritten !== position.sent
  ) {
    throw new Error(
      `Restored at ${conn.bytesRead}/${conn.bytesWritten}, not at ${position.received}/${position.sent}`,
    );
  }
  await work(upgrader, setup, position, peer, accepted, restore === undefined);
}

async function work(
  upgrader: Upgrader,
  setup: Setup,
  position: Position,
  peer: Peer,
  { conn }: PeerConnection,
  first: boolean,
): Promise<void> {
  const progress = setInterval(
    () => say({ type: "progress", ...position }),
    PROGRESS_MS,
  );
  const transferring = transfer({ ...setup, conn, position });
  const notes = first
    ? new Notes(peer.signalling, setup.client, setup.notes)
    : undefined;
  void obey(async (line) => {
    if (line.type === "count-notes") return notes?.report();
    if (line.type !== "upgrade") return;
    await upgrader.upgrade({
      command: Deno.execPath(),
      args: setup.args,
      stdin: "inherit",
      state: async () => {
        const peerState = await peer.suspend();
        // Only now is it certain what the loops have done.
        await transferring;
        clearInterval(progress);
        return writeState({ setup, position }, peerState);
      },
    });
    say({ type: "replaced", pid: Deno.pid });
    Deno.exit(0);
  }).catch(fail);
  const finished = await transferring;
  clearInterval(progress);
  // Replaced meanwhile: `upgrade` ends this process when the next one serves.
  if (!finished) await new Promise(() => {});
  say({ type: "progress", ...position });
  await conn[Symbol.asyncDispose]();
  say({ type: "done", ...position, stats: conn.stats() });
  await peer.close();
  await upgrader.close();
}

/** Does what it is told; ends with the program that started the demo. */
async function obey(
  act: (line: Line) => Promise<void> | undefined,
): Promise<void> {
  for await (const line of lines) {
    await act(line);
    // The successor reads what comes next.
    if (line.type === "upgrade") return;
  }
  Deno.exit(1);
}
