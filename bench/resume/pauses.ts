/** How long a stream stands still when its TCP connection is reset. */
import { CutProxy } from "@holdfast/testkit/proxy";
import { Pair } from "./child.ts";
import type { Pause } from "./ends/bytes.ts";
import { median, quantile, round, seededRandom, sleep } from "./numbers.ts";
import { type Plan, progressOf, type Result } from "./result.ts";

interface Measured {
  readonly resumed: readonly number[];
  readonly echoed: readonly number[];
  readonly roundTripMs: number;
}

/** Cuts an idle connection again and again, each time once it stands again. */
async function measure(delayMs: number, count: number): Promise<Measured> {
  await using proxy = await CutProxy.start({ delayMs });
  await using pair = new Pair("bytes", "ours");
  const upstream = await pair.server.call<number>("listen", { noDelay: true });
  proxy.forward("127.0.0.1", upstream);
  void pair.server.call("echo").catch(() => {});
  await pair.client.call("open", { port: proxy.port });
  const random = seededRandom(1);
  const resumed: number[] = [];
  const echoed: number[] = [];
  const trips: number[] = [];
  // The first cuts find code that was never run.
  for (let n = -3; n < count; n++) {
    trips.push(await pair.client.call<number>("roundTrip"));
    const through = pair.client.call<Pause>("pause");
    await sleep(5 + 20 * random());
    proxy.cut();
    const { resumedMs, echoedMs } = await through;
    if (n < 0) continue;
    resumed.push(resumedMs);
    echoed.push(echoedMs);
  }
  return { resumed, echoed, roundTripMs: median(trips) };
}

/** Fills in everything about pauses. */
export async function measurePauses(
  plan: Plan,
  result: Result,
): Promise<void> {
  const near = await measure(0, plan.pauses);
  progressOf("resumed, loopback", near.resumed, "ms  ");
  progressOf("  first echo", near.echoed, "ms  ");
  const far = await measure(30, plan.pausesAt60Ms);
  progressOf("resumed, 60 ms round trip", far.resumed, "ms  ");
  progressOf("  first echo", far.echoed, "ms  ");
  Object.assign(result.figures, {
    resume_ms_p50_loopback: round(median(near.resumed)),
    resume_ms_p99_loopback: round(quantile(near.resumed, 0.99)),
    resume_echo_ms_p50_loopback: round(median(near.echoed)),
    resume_rtts_at_60ms: round(median(far.resumed) / 60),
    resume_echo_rtts_at_60ms: round(median(far.echoed) / 60),
    resume_rtt_ms_measured_at_60ms: round(far.roundTripMs),
  });
}
