/**
 * The client program of the page: knows the server's id and some brokers, and
 * streams both ways for as long as it runs.
 */
import { openPeer, type Peer } from "@holdfast/holdfast";
import { withoutReplay } from "@holdfast/resume/testing";
import { importIdentity } from "@holdfast/signal";
import { type Line, readLines, say } from "../main/lines.ts";
import { Checker, NOTHING } from "./content.ts";
import { drink, type Flow, Gaps, pour } from "./flow.ts";
import { type ClientSetup, PROGRESS_MS, sayBrokers, STREAM } from "./setup.ts";

try {
  await main();
} catch (error) {
  say({ type: "failed", error: (error as Error).message });
  Deno.exit(1);
}

async function main(): Promise<void> {
  const lines = readLines(Deno.stdin.readable);
  const setup = (await lines.next()).value as unknown as ClientSetup;
  const peer = await openPeer({
    identity: await importIdentity(setup.identity),
    brokers: setup.brokers,
    localAddress: setup.localAddress,
    stream: setup.replay ? STREAM : withoutReplay(STREAM),
  });
  peer.on("*", (event) => say({ type: "event", event }));
  sayBrokers(peer);
  void obey(lines, peer);
  const asked = performance.now();
  const conn = await peer.connect(setup.server);
  say({ type: "connected", ms: performance.now() - asked });
  const { rateBytesPerS, seed } = setup;
  const checker = new Checker(setup.otherSeed, NOTHING);
  const flow: Flow = { conn, rateBytesPerS, seed, checker };
  const gaps = new Gaps();
  setInterval(
    () =>
      say({
        type: "progress",
        sent: conn.bytesWritten,
        tally: checker.tally,
        longestMs: gaps.longestMs,
      }),
    PROGRESS_MS,
  );
  await Promise.all([pour(flow), drink(flow, gaps)]);
}

async function obey(lines: AsyncIterable<Line>, peer: Peer): Promise<void> {
  for await (const line of lines) {
    if (line.type === "move") peer.moveTo(line.address);
  }
  // Whoever started this program is gone.
  Deno.exit(1);
}
