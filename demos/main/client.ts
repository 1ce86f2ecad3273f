/**
 * The client program of the demo: knows the server's id and some brokers,
 * streams a file each way, and moves to another address when it is told.
 */
import { openPeer, type Peer } from "@holdfast/holdfast";
import { withoutReplay } from "@holdfast/resume/testing";
import { importIdentity } from "@holdfast/signal";
import { readLines, say } from "./lines.ts";
import { Notes } from "./notes.ts";
import { type Position, transfer } from "./transfer.ts";

const PROGRESS_MS = 100;

const lines = readLines(Deno.stdin.readable);
const { value: setup } = await lines.next();
const stream = { heartbeatMs: 500, redialMaxMs: 500 };
const peer = await openPeer({
  identity: await importIdentity(setup!.identity),
  brokers: setup!.brokers,
  localAddress: setup!.localAddress,
  stream: setup!.replay ? stream : withoutReplay(stream),
});
peer.on("*", (event) => say({ type: "event", event }));
const connecting = performance.now();
const conn = await peer.connect(setup!.server);
say({ type: "connected", ms: performance.now() - connecting });
const notes = new Notes(peer.signalling, setup!.server, setup!.notes);
void obey(peer, notes);
const position: Position = { sent: 0, received: 0 };
const progress = setInterval(
  () => say({ type: "progress", ...position }),
  PROGRESS_MS,
);
await transfer({
  conn,
  position,
  outPath: setup!.outPath,
  inPath: setup!.inPath,
  rateBytesPerS: setup!.rateBytesPerS,
});
clearInterval(progress);
say({ type: "progress", ...position });
await conn[Symbol.asyncDispose]();
say({ type: "done", ...position, stats: conn.stats() });
await peer.close();
Deno.exit(0);

async function obey(peer: Peer, notes: Notes): Promise<void> {
  for await (const line of lines) {
    if (line.type === "move") peer.moveTo(line.address);
    if (line.type === "count-notes") notes.report();
  }
  // Whoever started this program is gone.
  Deno.exit(1);
}
