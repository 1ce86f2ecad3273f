// deno-lint-ignore-file no-console
/**
 * Signalling over three real brokers (mosquitto, each a process of its own)
 * beside MQTT.js on one broker, copied by hand to three, and with its own
 * `servers`: in health, under stalls, with two of three frozen or killed. Both
 * ends are in this process, for each of them alike.
 *
 *     deno task bench:signal [--quick]
 */
import { type BrokerProcess, startMosquitto } from "../tools/broker/spawn.ts";
import { holdfast, plain, servers } from "./signal/carriers.ts";
import { burst, type Carrier, flow, type FlowResult } from "./signal/flow.ts";
import { StallingProxy } from "./signal/stalling_proxy.ts";

const quick = Deno.args.includes("--quick");
const BYTES = 128;

async function startThree(): Promise<BrokerProcess[]> {
  return await Promise.all([0, 1, 2].map(() => startMosquitto()));
}

async function using3<T>(
  run: (brokers: readonly BrokerProcess[]) => Promise<T>,
): Promise<T> {
  const brokers = await startThree();
  try {
    return await run(brokers);
  } finally {
    for (const broker of brokers) await broker.kill();
  }
}

const urls = (brokers: readonly BrokerProcess[]) =>
  brokers.map(({ url }) => url);
const wait = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
const round = (value: number) => Number(value.toPrecision(3));

function say(what: string, result: FlowResult): void {
  const { lost, duplicated, gapMs, p50Ms, p99Ms, copiesPerMessage } = result;
  console.error(
    `${what.padEnd(34)} lost ${lost}, doubled ${duplicated}, gap ${
      gapMs.toFixed(1)
    } ms, p50 ${p50Ms.toFixed(2)}, p99 ${p99Ms.toFixed(1)} ms, ${
      copiesPerMessage.toFixed(2)
    } copies`,
  );
}

/** Blocks of each, one after the other, so that both meet the same machine. */
async function throughput(): Promise<
  { ours: number; plain1: number; naive3: number }
> {
  const count = quick ? 4_000 : 20_000;
  const best = {
    ours: [] as number[],
    plain1: [] as number[],
    naive3: [] as number[],
  };
  for (let block = 0; block < (quick ? 2 : 5); block++) {
    await using3(async (brokers) => {
      const makers = {
        plain1: () => plain(urls(brokers).slice(0, 1)),
        ours: () => holdfast(urls(brokers)),
        naive3: () => plain(urls(brokers), { dedupe: true }),
      };
      for (const name of ["plain1", "ours", "naive3"] as const) {
        await using carrier = await makers[name]();
        await burst(carrier, 500, BYTES, 64);
        best[name].push(await burst(carrier, count, BYTES, 256, 500));
      }
    });
  }
  const median = (list: number[]) =>
    list.sort((a, b) => a - b)[Math.floor(list.length / 2)]!;
  return {
    ours: median(best.ours),
    plain1: median(best.plain1),
    naive3: median(best.naive3),
  };
}

/** The same stalls for each: the random numbers are. */
async function stalls(
  make: (urls: readonly string[]) => Promise<Carrier>,
  count: number,
): Promise<FlowResult> {
  return await using3(async (brokers) => {
    const proxies = brokers.slice(0, count).map((broker, index) => {
      let seed = 77 + index;
      return new StallingProxy(broker.port, {
        ...{ delayMs: 5, stallMs: 600, stallsPerSecond: 0.1 },
        random: () => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647,
      });
    });
    try {
      await using carrier = await make(proxies.map(({ url }) => url));
      return await flow(carrier, {
        ...{ perSecond: 100, seconds: quick ? 10 : 60, bytes: BYTES },
        patienceMs: 5_000,
      });
    } finally {
      for (const proxy of proxies) proxy[Symbol.dispose]();
    }
  });
}

async function frozen(
  make: (brokers: readonly BrokerProcess[]) => Promise<Carrier>,
): Promise<FlowResult> {
  const seconds = quick ? 4 : 20;
  return await using3(async (brokers) => {
    await using carrier = await make(brokers);
    return await flow(carrier, {
      ...{ perSecond: 1_000, seconds: seconds + 2, bytes: BYTES },
      patienceMs: 5_000,
      async harm() {
        await wait(1_000);
        for (const broker of brokers.slice(0, 2)) broker.signal("SIGSTOP");
        await wait(seconds * 1_000);
        for (const broker of brokers.slice(0, 2)) broker.signal("SIGCONT");
        await wait(1_500);
      },
    });
  });
}

async function killed(
  make: (brokers: readonly BrokerProcess[]) => Promise<Carrier>,
): Promise<FlowResult> {
  return await using3(async (brokers) => {
    await using carrier = await make(brokers);
    return await flow(carrier, {
      ...{ perSecond: 1_000, seconds: 8, bytes: BYTES },
      patienceMs: 5_000,
      async harm() {
        await wait(1_000);
        await Promise.all(brokers.slice(0, 2).map((broker) => broker.kill()));
        await wait(2_000);
        await Promise.all(
          brokers.slice(0, 2).map((broker) => broker.restart()),
        );
      },
    });
  });
}

const speed = await throughput();
console.error(
  `messages/s: sealed over three ${speed.ours.toFixed(0)}, plain over one ${
    speed.plain1.toFixed(0)
  }, plain copied to three ${speed.naive3.toFixed(0)}`,
);
const stalled = {
  ours: await stalls((urls) => holdfast(urls), 3),
  always: await stalls((urls) => holdfast(urls, "always"), 3),
  one: await stalls((urls) => plain(urls), 1),
};
for (const [name, result] of Object.entries(stalled)) {
  say(`stalls of 600 ms, ${name}`, result);
}
const freeze = {
  ours: await frozen((brokers) => holdfast(urls(brokers))),
  naive3: await frozen((brokers) => plain(urls(brokers), { dedupe: true })),
};
for (const [name, result] of Object.entries(freeze)) {
  say(`2 of 3 frozen, ${name}`, result);
}
const kill = {
  ours: await killed((brokers) => holdfast(urls(brokers))),
  naive3: await killed((brokers) => plain(urls(brokers), { dedupe: true })),
  servers: await killed((brokers) => servers(brokers.map(({ port }) => port))),
};
for (const [name, result] of Object.entries(kill)) {
  say(`2 of 3 killed, ${name}`, result);
}
console.log(JSON.stringify({
  bench: "signal",
  ratios: {
    copies_per_message: round(stalled.ours.copiesPerMessage),
    stall_p99_gain: round(stalled.one.p99Ms / stalled.ours.p99Ms),
    stall_p99_gain_always: round(stalled.one.p99Ms / stalled.always.p99Ms),
    sealed_3_vs_plain_1: round(speed.ours / speed.plain1),
    naive_3_vs_plain_1: round(speed.naive3 / speed.plain1),
  },
  figures: {
    freeze_lost: freeze.ours.lost,
    freeze_duplicated: freeze.ours.duplicated,
    freeze_gap_ms: round(freeze.ours.gapMs),
    freeze_p99_ms: round(freeze.ours.p99Ms),
    kill_lost: kill.ours.lost,
    kill_duplicated: kill.ours.duplicated,
    kill_gap_ms: round(kill.ours.gapMs),
    sealed_3_messages_per_s: round(speed.ours),
    stall_p50_ms: round(stalled.ours.p50Ms),
    stall_p99_ms: round(stalled.ours.p99Ms),
  },
  peers: {
    plain_1_messages_per_s: round(speed.plain1),
    naive_3_messages_per_s: round(speed.naive3),
    plain_1_stall_p99_ms: round(stalled.one.p99Ms),
    naive_3_freeze_lost: freeze.naive3.lost,
    naive_3_freeze_duplicated: freeze.naive3.duplicated,
    naive_3_freeze_gap_ms: round(freeze.naive3.gapMs),
    naive_3_kill_lost: kill.naive3.lost,
    naive_3_kill_duplicated: kill.naive3.duplicated,
    naive_3_kill_gap_ms: round(kill.naive3.gapMs),
    servers_kill_lost: kill.servers.lost,
    servers_kill_gap_ms: round(kill.servers.gapMs),
  },
}));
Deno.exit(0);
