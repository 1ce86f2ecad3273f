/**
 * The client program of the demo: knows the server's id and some brokers,
 * streams a file each way, and moves to another address when it is told.
 */
import { openPeer, type Peer } from "@holdfast/holdfast";
import { withoutReplay } from "@holdfast/resume/testing";
import { importIdentity } from "@holdfast/signal";
import { type Line, readLines, say } from "./lines.ts";
import { Notes } from "./notes.ts";
import { type Position, transfer } from "./transfer.ts";

const PROGRESS_MS = 100;

try {
  await main();
} catch (error) {
  say({ type: "failed", error: (error as Error).message });
  Deno.exit(1);
}
Deno.exit(0);

async function main(): Promise<void> {
  const lines = readLines(Deno.stdin.readable);
  const setup = (await lines.next()).value!;
  const stream = { heartbeatMs: 500, redialMaxMs: 500 };
  const peer = await openPeer({
    identity: await importIdentity(setup.identity),
    brokers: setup.brokers,
    localAddress: setup.localAddress,
    stream: setup.replay ? stream : withoutReplay(stream),
  });
  peer.on("*", (event) => say({ type: "event", event }));
  const connecting = performance.now();
  const conn = await peer.connect(setup.server);
  say({ type: "connected", ms: performance.now() - connecting });
  const notes = new Notes(peer.signalling, setup.server, setup.notes);
  const position: Position = { sent: 0, received: 0 };
  const progress = setInterval(
    () => say({ type: "progress", ...position }),
    PROGRESS_MS,
  );
  const { outPath, inPath, rateBytesPerS } = setup;
  const mayFinish = new Promise<void>((resolve) =>
    void obey(lines, peer, notes, resolve)
  );
  await transfer({ conn, position, outPath, inPath, rateBytesPerS, mayFinish });
  clearInterval(progress);
  say({ type: "progress", ...position });
  await conn[Symbol.asyncDispose]();
  say({ type: "done", ...position, stats: conn.stats() });
  await peer.close();
}

async function obey(
  lines: AsyncIterable<Line>,
  peer: Peer,
  notes: Notes,
  finish: () => void,
): Promise<void> {
  for await (const line of lines) {
    if (line.type === "move") peer.moveTo(line.address);
    if (line.type === "count-notes") notes.report();
    if (line.type === "finish") finish();
  }
  // Whoever started this program is gone.
  Deno.exit(1);
}
