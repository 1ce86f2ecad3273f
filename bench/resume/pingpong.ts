/** How long 64 bytes take there and back, with TCP_NODELAY on all ends. */
import { Pair } from "./child.ts";
import { median, round } from "./numbers.ts";
import { type Plan, progressOf, type Result } from "./result.ts";
import { paired } from "./throughput.ts";

interface Trips {
  readonly p50: number;
  readonly p99: number;
}

async function measure(
  pair: Pair,
  port: number,
  trips: number,
): Promise<Trips> {
  const echoed = pair.server.call("echo");
  const times = await pair.client.call<Trips>("pingPong", { port, trips });
  await echoed;
  return times;
}

/** Fills in everything about round trips. */
export async function measurePingPong(
  plan: Plan,
  result: Result,
): Promise<void> {
  await using raw = new Pair("bytes", "raw");
  await using ours = new Pair("bytes", "ours");
  const pairs = [raw, ours];
  const ports = await Promise.all(
    pairs.map(({ server }) => server.call<number>("listen", { noDelay: true })),
  );
  const trips: Trips[][] = [[], []];
  for (let n = -1; n < plan.tripRounds; n++) {
    for (let i = 0; i < 2; i++) {
      const which = (n + 1 + i) % 2;
      const one = await measure(pairs[which]!, ports[which]!, plan.trips);
      if (n >= 0) trips[which]!.push(one);
    }
  }
  const [rawTrips, oursTrips] = trips as [Trips[], Trips[]];
  const p50 = (all: Trips[]): number[] => all.map(({ p50 }) => p50);
  const p99 = (all: Trips[]): number[] => all.map(({ p99 }) => p99);
  progressOf("ping-pong p50 raw", p50(rawTrips), "us  ");
  progressOf("ping-pong p50 ours", p50(oursTrips), "us  ");
  const ratios = paired(p50(oursTrips), p50(rawTrips));
  progressOf("  ratio pingpong_p50", ratios, "    ");
  result.ratios.pingpong_p50 = round(median(ratios));
  // Two processes that share a core answer in a third of the time, and the
  // system moves them about: the best round of each is free of that.
  result.ratios.pingpong_p50_best = round(
    Math.min(...p50(oursTrips)) / Math.min(...p50(rawTrips)),
  );
  result.figures.pingpong_us_p50 = round(median(p50(oursTrips)));
  result.figures.pingpong_us_p99 = round(median(p99(oursTrips)));
  result.peers.raw_pingpong_us_p50 = round(median(p50(rawTrips)));
  result.peers.raw_pingpong_us_p99 = round(median(p99(rawTrips)));
}
