/** How fast bytes go from one process to another. */
import { Pair } from "./child.ts";
import { median, round } from "./numbers.ts";
import {
  type ByteSize,
  type Plan,
  progressOf,
  type Result,
  SIZES,
} from "./result.ts";

interface Runner {
  readonly name: string;
  readonly pair: Pair;
  readonly port: number;
}

/** Who else is measured, and which part of the bytes of ours a round has. */
const PEERS: readonly {
  readonly task: string;
  readonly name: string;
  readonly sizes: readonly ByteSize[];
  readonly share: number;
}[] = [
  { task: "bytes", name: "tls", sizes: ["64k", "1k"], share: 1 },
  { task: "messages", name: "websocket", sizes: ["64k", "1k"], share: 1 / 2 },
  { task: "messages", name: "socketio", sizes: ["1k"], share: 1 / 4 },
  { task: "messages", name: "partysocket", sizes: ["1k"], share: 1 / 4 },
];

async function start(
  stack: AsyncDisposableStack,
  task: string,
  name: string,
): Promise<Runner> {
  const pair = stack.use(new Pair(task, name));
  const port = await pair.server.call<number>("listen", { noDelay: false });
  return { name, pair, port };
}

/** MB a second, over a new connection that was made before the clock starts. */
async function transfer(
  runner: Runner,
  size: ByteSize,
  bytes: number,
): Promise<number> {
  const { pair, port } = runner;
  const args = { port, bytes, size: SIZES[size] };
  const received = pair.server.call("receive", args);
  const ms = await pair.client.call<number>("send", args);
  await received;
  return bytes / 1000 / ms;
}

/** Megabytes a second by peer, all of them in each round, in turning order. */
async function compare(
  runners: readonly Runner[],
  size: ByteSize,
  bytes: number,
  rounds: number,
): Promise<Map<string, number[]>> {
  const speeds = new Map<string, number[]>();
  // One that is not counted: V8 compiles what is hot.
  for (let n = -1; n < rounds; n++) {
    for (let i = 0; i < runners.length; i++) {
      const runner = runners[(n + 1 + i) % runners.length]!;
      const speed = await transfer(runner, size, bytes);
      if (n < 0) continue;
      speeds.set(runner.name, [...speeds.get(runner.name) ?? [], speed]);
    }
  }
  return speeds;
}

/** Each round's ours ÷ its own raw: what slows the machine slows both. */
export function paired(
  ours: readonly number[],
  raw: readonly number[],
): number[] {
  return ours.map((value, i) => value / raw[i]!);
}

/** Ours, and ours with large buffers, beside raw TCP. */
async function measureOurs(plan: Plan, result: Result): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const names = ["raw", "ours", "ours_4m"];
  const runners = await Promise.all(
    names.map((name) => start(stack, "bytes", name)),
  );
  for (const [size, bytes] of Object.entries(plan.bytes)) {
    const speeds = await compare(runners, size as ByteSize, bytes, plan.rounds);
    const reference = speeds.get("raw")!;
    for (const [name, values] of speeds) {
      progressOf(`throughput ${size} ${name}`, values, "MB/s");
      const figures = name === "raw" ? result.peers : result.figures;
      figures[`${name}_${size}_mb_per_s`] = round(median(values));
      if (name === "raw") continue;
      const ratios = paired(values, reference);
      const key = `throughput_${size}${name.slice("ours".length)}`;
      progressOf(`  ratio ${key}`, ratios, "    ");
      result.ratios[key] = round(median(ratios));
    }
  }
}

/** The others, for which a few rounds will do: they are in no ratio. */
async function measurePeers(plan: Plan, result: Result): Promise<void> {
  for (const { task, name, sizes, share } of PEERS) {
    await using stack = new AsyncDisposableStack();
    const runner = await start(stack, task, name);
    for (const size of sizes) {
      const bytes = plan.bytes[size] * share;
      const speeds = await compare([runner], size, bytes, plan.peerRounds);
      const values = speeds.get(name)!;
      progressOf(`throughput ${size} ${name}`, values, "MB/s");
      result.peers[`${name}_${size}_mb_per_s`] = round(median(values));
    }
  }
}

/** Fills in everything about throughput. */
export async function measureThroughput(
  plan: Plan,
  result: Result,
): Promise<void> {
  await measureOurs(plan, result);
  await measurePeers(plan, result);
}
