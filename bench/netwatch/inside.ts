// deno-lint-ignore-file no-console -- a process of the benchmark
/** The benchmark itself, inside a namespace where it may change everything. */
import { readSnapshot, watchNetwork } from "@holdfast/netwatch";
import process from "node:process";
import { median, quantile, round, sleep } from "../resume/numbers.ts";
import { progress, progressOf, type Result } from "../resume/result.ts";
import { Changer, gatewayLine, gatewayOf, ip, prepare } from "./changer.ts";
import {
  bareSnapshot,
  floor,
  gatedPolling,
  hints,
  holdASecond,
  polling,
  type Publish,
  trailing,
} from "./strategies.ts";

interface Plan {
  readonly blocks: number;
  readonly changes: number;
  readonly slowChanges: number;
  readonly idleMs: number;
}

const HOLD_MS = 100;
let count = 0;

/** Times from each change until it was published; missing ones are missed. */
class Meter {
  readonly times: number[] = [];
  changes = 0;
  #expected: string | undefined;
  #at = 0;

  readonly publish: Publish = (gateway) => {
    if (gateway !== this.#expected || this.#expected === undefined) return;
    this.times.push(performance.now() - this.#at);
    this.#expected = undefined;
  };

  expect(gateway: string, at: number): void {
    this.changes++;
    this.#expected = gateway;
    this.#at = at;
  }

  get missed(): number {
    return this.changes - this.times.length;
  }
}

async function change(changer: Changer, meters: readonly Meter[]) {
  const n = count++;
  // Before the line is written: what is quick may be there already after.
  const at = performance.now();
  for (const meter of meters) meter.expect(gatewayOf(n), at);
  await changer.change(gatewayLine(n));
}

async function block(changer: Changer, meter: Meter, changes: number) {
  for (let i = 0; i < changes; i++) {
    await change(changer, [meter]);
    await sleep(HOLD_MS + 20 * Math.random());
  }
}

/** Ours and the floor take turns, a block of changes each. */
async function latency(plan: Plan, result: Result): Promise<void> {
  await using changer = new Changer();
  const [ours, bare, hint] = [new Meter(), new Meter(), new Meter()];
  const ratios: { p50: number[]; p99: number[] } = { p50: [], p99: [] };
  for (let b = -1; b < plan.blocks; b++) {
    const here = [new Meter(), new Meter()] as const;
    const turns = [async () => {
      await using watch = await watchNetwork();
      watch.on("gateway-changed", (e) => here[0].publish(e.after?.gateway));
      await sleep(400);
      await block(changer, here[0], plan.changes);
    }, async () => {
      await using _floor = floor(here[1].publish);
      await sleep(400);
      await block(changer, here[1], plan.changes);
    }];
    for (const turn of b % 2 === 0 ? turns : turns.toReversed()) await turn();
    if (b < 0) continue;
    for (const [i, all] of [ours, bare].entries()) {
      all.times.push(...here[i]!.times);
      all.changes += here[i]!.changes;
    }
    ratios.p50.push(median(here[0].times) / median(here[1].times));
    ratios.p99.push(
      quantile(here[0].times, 0.99) / quantile(here[1].times, 0.99),
    );
  }
  {
    let due = "";
    await using _hints = hints(() => hint.publish(due));
    await sleep(400);
    for (let i = 0; i < plan.changes; i++) {
      due = gatewayOf(count);
      await change(changer, [hint]);
      await sleep(HOLD_MS);
    }
  }
  progressOf("change to event, ours", ours.times, "ms");
  progressOf("change to snapshot, bare", bare.times, "ms");
  progressOf("change to the bare hint", hint.times, "ms");
  Object.assign(result.ratios, {
    latency_p50_vs_floor: round(median(ours.times) / median(bare.times)),
    latency_p99_vs_floor: round(
      quantile(ours.times, 0.99) / quantile(bare.times, 0.99),
    ),
    latency_p50_vs_floor_median_of_blocks: round(median(ratios.p50)),
    latency_p99_vs_floor_median_of_blocks: round(median(ratios.p99)),
  });
  Object.assign(result.figures, {
    latency_ms_p50: round(median(ours.times)),
    latency_ms_p99: round(quantile(ours.times, 0.99)),
    changes: ours.changes,
    missed: ours.missed,
  });
  Object.assign(result.peers, {
    floor_ms_p50: round(median(bare.times)),
    floor_ms_p99: round(quantile(bare.times, 0.99)),
    hint_ms_p50: round(median(hint.times)),
  });
}

/** What others' rules do with changes that hold for 0.3 to 1 s. */
async function slowRules(plan: Plan, result: Result): Promise<void> {
  await using changer = new Changer();
  const meters = Array.from({ length: 6 }, () => new Meter());
  const publish = (i: number) => meters[i]!.publish;
  await using stack = new AsyncDisposableStack();
  const watch = stack.use(await watchNetwork());
  watch.on("gateway-changed", (event) => publish(0)(event.after?.gateway));
  const others = [
    holdASecond(publish(1)),
    trailing(250, publish(2)),
    trailing(2_000, publish(3)),
    polling(1_000, publish(4)),
    gatedPolling(1_000, publish(5)),
  ];
  for (const one of others) stack.use(one);
  await sleep(500);
  for (let i = 0; i < plan.slowChanges; i++) {
    await change(changer, meters);
    await sleep(300 + 700 * Math.random());
  }
  for (const [i, meter] of meters.entries()) {
    const name = i === 0 ? "ours" : others[i - 1]!.name;
    const p50 = meter.times.length === 0 ? -1 : round(median(meter.times));
    progress(
      `${name}: ${meter.missed} of ${meter.changes} not told while they held, p50 ${p50} ms`,
    );
    result.peers[`${name}_missed_of_${plan.slowChanges}`] = meter.missed;
    result.peers[`${name}_ms_p50`] = p50;
  }
}

async function idle(plan: Plan, result: Result): Promise<void> {
  // A router that answers, as there is one in any network.
  await ip("route replace default via 10.77.0.1");
  await ip("neigh replace 10.77.0.1 lladdr 02:00:00:00:00:01 dev vA");
  await using watch = await watchNetwork();
  await sleep(1_000); // what it does at its start
  const reads = watch.stats().reads;
  const cpu = process.cpuUsage();
  await sleep(plan.idleMs);
  const { user, system } = process.cpuUsage(cpu);
  const percent = (user + system) / 1_000 / plan.idleMs * 100;
  const spawns = (watch.stats().reads - reads) / (plan.idleMs / 60_000);
  progress(`idle: ${round(percent)} % of a core, ${spawns} readings a minute`);
  result.figures.idle_cpu_percent = round(percent);
  result.figures.idle_spawns_per_minute = spawns;
}

async function manyRoutes(result: Result): Promise<void> {
  const lines = Array.from(
    { length: 40_000 },
    (_, i) =>
      `route add 11.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32 dev vA table 99`,
  );
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, lines.join("\n"));
  await ip(`-batch ${file}`);
  await Deno.remove(file);
  const times = { ours: [] as number[], bare: [] as number[] };
  for (let i = 0; i < 20; i++) {
    for (const name of ["ours", "bare"] as const) {
      const at = performance.now();
      await (name === "ours" ? readSnapshot() : bareSnapshot());
      times[name].push(performance.now() - at);
    }
  }
  progressOf("snapshot with 40 000 routes", times.ours, "ms");
  result.figures.snapshot_40k_routes_ms = round(median(times.ours));
  result.peers.bare_snapshot_40k_routes_ms = round(median(times.bare));
}

const quick = Deno.args.includes("--quick");
const plan: Plan = quick
  ? { blocks: 4, changes: 25, slowChanges: 12, idleMs: 10_000 }
  : { blocks: 8, changes: 50, slowChanges: 40, idleMs: 60_000 };
const result: Result = { ratios: {}, figures: {}, peers: {} };
await prepare();
await latency(plan, result);
await slowRules(plan, result);
await idle(plan, result);
await manyRoutes(result);
console.log(JSON.stringify({ bench: "netwatch", ...result }));
Deno.exit(0);
