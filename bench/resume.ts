// deno-lint-ignore-file no-console -- a command-line program
/**
 * Resumable streams beside raw TCP, TLS, WebSocket, socket.io and partysocket.
 *
 *     deno task bench:resume            # about 2 minutes
 *     deno task bench:resume --quick    # about 30 seconds, rougher
 *
 * Tells what it finds on stderr, and ends with one JSON line on stdout;
 * docs/benchmarks.md says what each key means.
 *
 * What keeps it honest:
 *
 * - Both ends of each peer are processes of their own, and hold that peer
 *   alone. The same loop drives ours and raw TCP.
 * - Ours and raw take turns in each round, in an order that turns too, and a
 *   ratio is the median over the rounds of ours ÷ raw in that round: what slows
 *   the machine slows both.
 * - Throughput counts until the receiver has confirmed the last byte, so that
 *   nothing is left in a buffer.
 * - Messages through cuts carry numbers, bytes at full speed carry records that
 *   are compared whole.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { measureCuts } from "./resume/cuts.ts";
import { measureFlatness, measureIdleSessions } from "./resume/memory.ts";
import { measurePauses } from "./resume/pauses.ts";
import { measurePingPong } from "./resume/pingpong.ts";
import { measureRecovery } from "./resume/recovery.ts";
import { type Plan, progress, type Result } from "./resume/result.ts";
import { measureThroughput } from "./resume/throughput.ts";

const MIB = 1024 * 1024;

const FULL: Plan = {
  rounds: 11,
  peerRounds: 3,
  bytes: { "64k": 512 * MIB, "1k": 128 * MIB, "64b": 16 * MIB },
  tripRounds: 25,
  trips: 5_000,
  pauses: 100,
  pausesAt60Ms: 100,
  talkCuts: 12,
  fullSpeedCuts: 200,
  idleSessions: 4_000,
};

const QUICK: Plan = {
  rounds: 5,
  peerRounds: 1,
  bytes: { "64k": 256 * MIB, "1k": 64 * MIB, "64b": 8 * MIB },
  tripRounds: 9,
  trips: 5_000,
  pauses: 40,
  pausesAt60Ms: 15,
  talkCuts: 3,
  fullSpeedCuts: 50,
  idleSessions: 1_000,
};

const PARTS = {
  throughput: measureThroughput,
  pingpong: measurePingPong,
  pauses: measurePauses,
  recovery: measureRecovery,
  cuts: measureCuts,
  idle: measureIdleSessions,
  flatness: measureFlatness,
};

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { quick: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const plan = values.quick ? QUICK : FULL;
  const result: Result = { ratios: {}, figures: {}, peers: {} };
  for (const [name, measure] of Object.entries(PARTS)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const start = performance.now();
    await measure(plan, result);
    const seconds = (performance.now() - start) / 1000;
    progress(`-- ${name} took ${seconds.toFixed(1)} s`);
  }
  console.log(JSON.stringify({ bench: "resume", ...result }));
}
