/**
 * The same cuts for ours, socket.io with connection state recovery and
 * partysocket: how long they need, and what gets lost or doubled.
 */
import { CutProxy, type CutSide } from "@holdfast/testkit/proxy";
import { Pair } from "./child.ts";
import type { TalkReport } from "./ends/talk.ts";
import { median, round, seededRandom, sleep } from "./numbers.ts";
import { type Figures, type Plan, progress, type Result } from "./result.ts";

const EVERY_MS = 5;
const DELAY_MS = 30;
// The shortest time between two cuts and the longest.
const GAP_MS = [300, 1_200] as const;
// What is on its way when the sending ends must have arrived by then, or never.
const QUIET_MS = 1_500;

interface Talked {
  readonly sentUp: number;
  readonly sentDown: number;
  readonly client: TalkReport;
  readonly server: TalkReport;
  readonly cuts: number;
}

/** Resolves for all once this many wait for it. */
function barrier(count: number): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let waiting = 0;
  return () => {
    if (++waiting === count) resolve();
    return promise;
  };
}

async function talk(
  name: string,
  side: CutSide,
  cuts: number,
  allJoined: () => Promise<void>,
): Promise<Talked> {
  await using proxy = await CutProxy.start({ delayMs: DELAY_MS });
  await using pair = new Pair("talk", name);
  const { server, client } = pair;
  proxy.forward("127.0.0.1", await server.call<number>("listen"));
  await client.call("join", { port: proxy.port });
  await allJoined();
  await Promise.all([
    server.call("start", { everyMs: EVERY_MS }),
    client.call("start", { everyMs: EVERY_MS }),
  ]);
  const random = seededRandom(60);
  for (let n = 0; n < cuts; n++) {
    await sleep(GAP_MS[0] + (GAP_MS[1] - GAP_MS[0]) * random());
    proxy.cut(side);
  }
  await sleep(GAP_MS[1]);
  const sentUp = await client.call<number>("stop");
  const sentDown = await server.call<number>("stop");
  await sleep(QUIET_MS);
  return {
    sentUp,
    sentDown,
    server: await server.call<TalkReport>("report"),
    client: await client.call<TalkReport>("report"),
    cuts: proxy.cuts,
  };
}

function record(name: string, side: CutSide, talked: Talked): Figures {
  const { client, server, sentUp, sentDown, cuts } = talked;
  const up = sentUp - server.distinct;
  const down = sentDown - client.distinct;
  const pauseMs = round(median(client.pauses));
  progress(
    `${name}, ${side} side${side === "both" ? "s" : ""} cut ${cuts} times: ` +
      `lost ${up} of ${sentUp} up, ${down} of ${sentDown} down, ` +
      `doubled ${server.duplicated} up, ${client.duplicated} down, ` +
      `recovered ${client.recovered} of ${client.pauses.length}, ` +
      `pause ${pauseMs} ms`,
  );
  const key = `${name}_${side}_cut`;
  return {
    [`${key}_lost_up`]: up,
    [`${key}_lost_down`]: down,
    [`${key}_duplicated`]: server.duplicated + client.duplicated,
    [`${key}_recovered_share`]: round(client.recovered / client.pauses.length),
    [`${key}_pause_ms_p50`]: pauseMs,
  };
}

/** Fills in everything about recovery. */
export async function measureRecovery(
  plan: Plan,
  result: Result,
): Promise<void> {
  const names = ["ours", "socketio", "partysocket"];
  const sides = ["both", "client"] as const;
  const allJoined = barrier(names.length * sides.length);
  const measure = async (name: string, side: CutSide): Promise<void> => {
    const talked = await talk(name, side, plan.talkCuts, allJoined);
    const into = name === "ours" ? result.figures : result.peers;
    Object.assign(into, record(name, side, talked));
  };
  // All at once: they wait most of the time.
  await Promise.all(
    names.flatMap((name) => sides.map((side) => measure(name, side))),
  );
}
