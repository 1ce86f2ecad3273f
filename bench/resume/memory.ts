/** What a session costs, and whether its cost grows with what it carried. */
import { Pair } from "./child.ts";
import type { HeapUse } from "./ends/heap.ts";
import { sleep } from "./numbers.ts";
import { type Plan, progress, type Result } from "./result.ts";

// Opened before the first look: what is made once belongs to nobody.
const WARM_UP = 64;
const MIB = 1024 * 1024;

interface Idle {
  readonly attached: HeapUse;
  readonly detached: HeapUse;
}

async function open(pair: Pair, port: number, count: number): Promise<void> {
  const taken = pair.server.call("take", { count });
  await pair.client.call("open", { port, count });
  await taken;
}

/** Bytes of the server for each connection of a peer. */
async function measureIdle(name: string, count: number): Promise<Idle> {
  await using pair = new Pair("memory", name);
  const { server, client } = pair;
  const port = await server.call<number>("listen");
  await open(pair, port, WARM_UP);
  const before = await server.call<HeapUse>("heap");
  await open(pair, port, count);
  const attached = await server.call<HeapUse>("heap");
  const each = (use: HeapUse, connections: number): HeapUse => ({
    held: (use.held - before.held) / connections,
    rss: (use.rss - before.rss) / connections,
  });
  if (name === "raw") {
    return { attached: each(attached, count), detached: before };
  }
  client.kill();
  const all = count + WARM_UP;
  while (await server.call<number>("detached") < all) await sleep(100);
  const detached = await server.call<HeapUse>("heap");
  return {
    attached: each(attached, count),
    detached: each(detached, count),
  };
}

/** Fills in what idle sessions cost. */
export async function measureIdleSessions(
  plan: Plan,
  result: Result,
): Promise<void> {
  const { attached: bare } = await measureIdle("raw", plan.idleSessions);
  const ours = await measureIdle("ours", plan.idleSessions);
  const figures = {
    idle_session_bytes: Math.round(ours.attached.held - bare.held),
    idle_session_rss_bytes: Math.round(ours.attached.rss - bare.rss),
    detached_session_bytes: Math.round(ours.detached.held),
    detached_session_rss_bytes: Math.round(ours.detached.rss),
  };
  progress(
    `${plan.idleSessions} idle sessions: ` + JSON.stringify(figures) +
      `, bare connections ${Math.round(bare.held)} bytes, ` +
      `rss ${Math.round(bare.rss)}`,
  );
  Object.assign(result.figures, figures);
  result.peers.raw_idle_conn_bytes = Math.round(bare.held);
  result.peers.raw_idle_conn_rss_bytes = Math.round(bare.rss);
}

/** Fills in how much more memory is held after 1 GiB than after 64 MiB. */
export async function measureFlatness(
  _plan: Plan,
  result: Result,
): Promise<void> {
  await using pair = new Pair("bytes", "ours");
  const ends = [pair.client, pair.server];
  const port = await pair.server.call<number>("listen", { noDelay: false });
  const taken = pair.server.call("take");
  await pair.client.call("open", { port });
  await taken;
  const carry = async (bytes: number): Promise<HeapUse[]> => {
    const received = pair.server.call("carryIn", { bytes });
    await pair.client.call("carryOut", { bytes, size: 64 * 1024 });
    await received;
    return await Promise.all(ends.map((end) => end.call<HeapUse>("heap")));
  };
  const early = await carry(64 * MIB);
  const late = await carry(960 * MIB);
  const growth = (key: keyof HeapUse): number[] =>
    late.map((use, i) => use[key] - early[i]![key]);
  const [client, server] = growth("held") as [number, number];
  const [clientRss, serverRss] = growth("rss") as [number, number];
  Object.assign(result.figures, {
    heap_growth_sender_bytes_64m_to_1g: client,
    heap_growth_receiver_bytes_64m_to_1g: server,
    rss_growth_sender_bytes_64m_to_1g: clientRss,
    rss_growth_receiver_bytes_64m_to_1g: serverRss,
  });
  progress(
    `heap after 1 GiB less after 64 MiB: sender ${client}, receiver ${server}` +
      ` bytes; rss ${clientRss}, ${serverRss}`,
  );
}
