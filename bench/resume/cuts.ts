/** Both directions at full speed, cut again and again, every byte checked. */
import { CutProxy } from "@holdfast/testkit/proxy";
import { Pair } from "./child.ts";
import type { CheckReport } from "./ends/checked_stream.ts";
import { round, seededRandom, sleep } from "./numbers.ts";
import { type Plan, progress, type Result } from "./result.ts";

// From right after it stands again until it has long been at full speed.
const GAP_MS = [2, 45] as const;
const GIVE_UP_MS = 3_000;

/** Fills in everything about cuts at full speed. */
export async function measureCuts(plan: Plan, result: Result): Promise<void> {
  await using proxy = await CutProxy.start();
  await using pair = new Pair("bytes", "ours");
  const { server, client } = pair;
  proxy.forward(
    "127.0.0.1",
    await server.call<number>("listen", { noDelay: false }),
  );
  const taken = server.call("take");
  await client.call("open", { port: proxy.port });
  await taken;
  const ends = [client, server];
  await Promise.all(ends.map((end) => end.call("startChecked")));
  const random = seededRandom(200);
  const start = performance.now();
  let lastCut = start;
  while (proxy.cuts < plan.fullSpeedCuts) {
    await sleep(GAP_MS[0] + (GAP_MS[1] - GAP_MS[0]) * random());
    const cut = proxy.cut(random() < 0.5 ? "both" : "client");
    if (cut > 0) lastCut = performance.now();
    // Nothing to cut: the session gave up.
    else if (performance.now() - lastCut > GIVE_UP_MS) break;
  }
  const sent = await Promise.all(
    ends.map((end) => end.call<number>("stopWriting")),
  );
  const reports = await Promise.all(
    ends.map((end) => end.call<CheckReport>("report")),
  );
  const seconds = (performance.now() - start) / 1000;
  const total = (key: "distinct" | "duplicated" | "corrupt" | "bytes") =>
    reports[0]![key] + reports[1]![key];
  for (const { error } of reports) if (error !== undefined) progress(error);
  const megabytes = total("bytes") / 1e6;
  const lost = sent[0]! + sent[1]! - total("distinct");
  progress(
    `at full speed: ${proxy.cuts} cuts, ${round(megabytes)} MB checked, ` +
      `records lost ${lost}, duplicated ${total("duplicated")}, ` +
      `corrupt ${total("corrupt")}`,
  );
  Object.assign(result.figures, {
    cuts: proxy.cuts,
    lost,
    duplicated: total("duplicated"),
    corrupt: total("corrupt"),
    cuts_mb_checked: round(megabytes),
    cuts_mb_per_s: round(megabytes / seconds),
  });
}
