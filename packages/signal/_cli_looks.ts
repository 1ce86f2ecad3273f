// deno-lint-ignore-file no-console -- a command line prints
import { type Flags, open, positive, UsageError } from "./_cli_common.ts";
import { rankFor } from "./_ranking.ts";
import { publicKeyOf } from "./identity.ts";
import type { BrokerState, Signalling } from "./signalling.ts";

const REDUNDANCY_MAX = 16;

/** `signal peers`: who is there. */
export async function showPeers(
  peers: string[],
  flags: Flags,
): Promise<number> {
  if (peers.length === 0) {
    throw new UsageError(
      "Cannot look for peers: no id: signal peers PEER [PEER …]",
    );
  }
  for (const peer of peers) publicKeyOf(peer);
  const timeoutMs = 1_000 * positive("--timeout", flags.timeout ?? "10");
  await using signalling = await open(flags);
  using stack = new DisposableStack();
  const presences = [...new Set(peers)].map((peer) =>
    stack.use(signalling.presence(peer))
  );
  const tell = (peer: string, status: string) =>
    console.log(
      flags.json
        ? JSON.stringify({ type: "presence", peer, status })
        : `${peer}  ${status}`,
    );
  await Promise.all(presences.map(async (presence) => {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), timeoutMs);
    await presence.once("peer-online", { signal: limit.signal })
      .catch(() => {});
    clearTimeout(timer);
    // Not heard of in time: whether it is gone or slow nobody can say.
    tell(presence.peer, presence.status === "online" ? "online" : "no answer");
  }));
  if (!flags.watch) return 0;
  for (const presence of presences) {
    presence.on("*", ({ peer }) => tell(peer, presence.status));
  }
  await untilInterrupted();
  return 0;
}

/** `signal brokers`: how each stands, and in which order it is walked. */
export async function showBrokers(
  rest: string[],
  flags: Flags,
): Promise<number> {
  if (rest.length > 0) {
    throw new UsageError(
      `Cannot run: "${rest[0]}" is one word too many: see --help`,
    );
  }
  if (flags.for !== undefined) publicKeyOf(flags.for);
  const timeoutMs = 1_000 * positive("--timeout", flags.timeout ?? "5");
  const { broker: { length } = [] } = flags;
  const redundancy = Math.min(REDUNDANCY_MAX, Math.max(1, length));
  await using signalling = await open(flags, { redundancy });
  await untilKnown(signalling, timeoutMs);
  const { brokers } = signalling.state;
  const ranked = await rankFor(
    flags.for ?? signalling.id,
    brokers.map(({ url }) => url),
  );
  for (const url of ranked) {
    const state = brokers.find((broker) => broker.url === url)!;
    console.log(
      flags.json ? JSON.stringify({ type: "broker", ...state }) : line(state),
    );
  }
  return brokers.some(({ status }) => status === "up") ? 0 : 1;
}

function line(state: BrokerState): string {
  const { url, status, reason, version, rttMs, frameBytesMax } = state;
  return [
    status.padEnd(10),
    url,
    ...(reason === undefined ? [] : [reason]),
    ...(version === undefined ? [] : [`MQTT ${version}`]),
    ...(rttMs === undefined ? [] : [`${rttMs} ms`]),
    ...(frameBytesMax === undefined ? [] : [`up to ${frameBytesMax} bytes`]),
  ].join("  ");
}

/** Until each broker is up or has failed, and those that are up were asked. */
async function untilKnown(
  signalling: Signalling,
  timeoutMs: number,
): Promise<void> {
  const until = performance.now() + timeoutMs;
  const isKnown = () =>
    signalling.state.brokers.every(({ status, rttMs }) =>
      status === "down" || status === "up" && rttMs !== undefined
    );
  while (!isKnown() && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function untilInterrupted(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  Deno.addSignalListener("SIGINT", resolve);
  await promise;
  Deno.removeSignalListener("SIGINT", resolve);
}
