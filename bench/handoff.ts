// deno-lint-ignore-file no-console
/**
 * Handoffs per second and their latency beside node's `child.send`, bytes lost
 * under traffic, and errors during restarts beside SO_REUSEPORT and stop and
 * start; each with its peers in one run.
 *
 *     deno task bench:handoff [--quick]
 */
import {
  type DetachedSocket,
  listen,
  openHolder,
  openSender,
  takeFromHolder,
} from "@holdfast/handoff";
import { startReceiver, traffic } from "./handoff/from_tests.ts";
import { holdfastRestarts, plainRestarts } from "./handoff/restarts.ts";

const quick = Deno.args.includes("--quick");
const ROUNDS = quick ? 3 : 5;
const HANDOFFS = quick ? 3000 : 10_000;
const SINGLE = quick ? 500 : 2000;
const CONNECTIONS = quick ? 100 : 2000;
const RESTARTS = quick ? 3 : 10;
const AT_ONCE = 64;

const here = (path: string): string => new URL(path, import.meta.url).pathname;
const round = (value: number): number => Number(value.toPrecision(3));
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1]!;

interface Speed {
  readonly perSecond: number;
  readonly p50: number;
}

/** Duplicates of one listener, as many as are asked for. */
async function duplicates(count: number): Promise<DetachedSocket[]> {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o700);
  await using holder = await openHolder(`${folder}/holder`);
  await holder.store("web", await listen({ port: 0 }));
  const all: DetachedSocket[] = [];
  for (let i = 0; i < count; i++) {
    all.push((await takeFromHolder(`${folder}/holder`, "web")).socket);
  }
  return all;
}

async function ours(path: string): Promise<Speed> {
  await using sender = await openSender(path);
  const all = await duplicates(AT_ONCE);
  const times: number[] = [];
  // A socket that was sent is closed here, so each is duplicated first, as
  // node does inside of child.send.
  const send = async (base: DetachedSocket): Promise<void> => {
    await sender.send(base.duplicate());
  };
  await send(all[0]!);
  const began = performance.now();
  let left = HANDOFFS;
  await Promise.all(all.map(async (base) => {
    while (left-- > 0) await send(base);
  }));
  const perSecond = HANDOFFS / (performance.now() - began) * 1000;
  for (let i = 0; i < SINGLE; i++) {
    const start = performance.now();
    await send(all[0]!);
    times.push(performance.now() - start);
  }
  all.forEach((base) => base.close());
  return { perSecond, p50: median(times) };
}

async function nodes(): Promise<Speed> {
  const { stdout } = await new Deno.Command("node", {
    args: [here("./handoff/node_send.cjs"), `${HANDOFFS}`, `${SINGLE}`],
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

const folder = await Deno.makeTempDir();
await Deno.chmod(folder, 0o700);
const path = `${folder}/sockets`;
const receiver = new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", "--no-check", here("./handoff/receiver.ts"), path],
  stdout: "piped",
}).spawn();
await receiver.stdout.getReader().read();
const mine: Speed[] = [], theirs: Speed[] = [];
for (let i = 0; i < ROUNDS; i++) {
  mine.push(await ours(path));
  theirs.push(await nodes());
  console.error(
    `handoffs a second: ${round(mine[i]!.perSecond)}, child.send ${
      round(theirs[i]!.perSecond)
    }`,
  );
}
receiver.kill("SIGKILL");
await receiver.status;

let lost = 0, wrong = 0;
{
  await using echo = await startReceiver("c");
  await using sender = await openSender(echo.path, { timeoutMs: 60_000 });
  let next = 0;
  await Promise.all([0, 1, 2, 3].map(async () => {
    while (next < CONNECTIONS) {
      const exact = await traffic(
        next++,
        50_000 + Math.floor(Math.random() * 150_000),
        (conn, options) => sender.send(conn, options),
      );
      lost += exact.sent - exact.back;
      if (!exact.same) wrong++;
    }
  }));
  console.error(
    `${CONNECTIONS} connections: ${lost} bytes lost, ${wrong} wrong`,
  );
}

const deno = await holdfastRestarts("deno", RESTARTS);
const node = await holdfastRestarts("node", RESTARTS);
const reuse = await plainRestarts("reuseport", RESTARTS);
const stop = await plainRestarts("stop-start", RESTARTS);
for (const [name, one] of Object.entries({ deno, node, reuse, stop })) {
  console.error(name, JSON.stringify(one));
}
const errors = (one: typeof deno): number => one.refused + one.reset + one.cut;

console.log(JSON.stringify({
  bench: "handoff",
  ratios: {
    handoffs_vs_child_send: round(
      median(mine.map((one, i) => one.perSecond / theirs[i]!.perSecond)),
    ),
    handoff_p50_vs_child_send: round(
      median(mine.map((one, i) => one.p50 / theirs[i]!.p50)),
    ),
  },
  figures: {
    handoffs_per_s: round(median(mine.map(({ perSecond }) => perSecond))),
    handoff_ms_p50: round(median(mine.map(({ p50 }) => p50))),
    connections: CONNECTIONS,
    bytes_lost: lost,
    connections_wrong: wrong,
    restarts: deno.restarts + node.restarts,
    restart_errors: errors(deno) + errors(node),
    restart_requests: deno.requests + node.requests,
    restart_ms_p99_deno_serve: round(deno.p99Ms),
    restart_ms_p99_node_http: round(node.p99Ms),
  },
  peers: {
    child_send_per_s: round(median(theirs.map(({ perSecond }) => perSecond))),
    child_send_ms_p50: round(median(theirs.map(({ p50 }) => p50))),
    reuseport_errors: errors(reuse),
    reuseport_ms_p99: round(reuse.p99Ms),
    stop_start_errors: errors(stop),
    stop_start_refused: stop.refused,
    stop_start_ms_p99: round(stop.p99Ms),
  },
}));
Deno.exit();
