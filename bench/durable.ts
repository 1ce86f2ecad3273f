// deno-lint-ignore-file no-console -- a command-line program
/**
 * Durable sessions beside a bare loop that appends the same bytes to SQLite,
 * and how soon a stream goes on when its server is killed.
 *
 *     deno task bench:durable           # about 20 seconds
 *     deno task bench:durable --quick   # about 8 seconds
 *
 * Tells what it finds on stderr, and ends with one JSON line on stdout;
 * docs/benchmarks.md says what each key means. Ours and the bare loop take
 * turns, each in a process of its own, and the ratio is the median over the
 * rounds of ours ÷ bare in that round.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { connectResumable } from "@holdfast/resume";
import { missing } from "@holdfast/testkit";
import { dial, ours, said, start, stop } from "./durable/processes.ts";
import { measureRedis } from "./durable/redis.ts";
import { median, round, sleep } from "./resume/numbers.ts";
import { progress, progressOf } from "./resume/result.ts";

const MIB = 1024 * 1024;

async function bare(file: string, bytes: number): Promise<number> {
  const child = start("bare", file, bytes);
  const ms = await said(child);
  await child.stdout.cancel();
  await child.status;
  return bytes / 1000 / ms;
}

interface Restarts {
  readonly pausesMs: readonly number[];
  readonly lost: number;
  readonly duplicated: number;
}

/** Kills a server that echoes numbered bytes; from its listening to the stream. */
async function restarts(file: string, kills: number): Promise<Restarts> {
  let child = start("serve", 0, file, 0);
  const port = await said(child);
  const conn = await connectResumable(dial(port), {
    redialMaxMs: 50,
    heartbeatMs: 500,
  });
  let sent = 0;
  let got = 0;
  let wrong = 0;
  let writing = true;
  const numbered = (offset: number) => (offset * 31 + (offset >>> 8)) & 0xff;
  const writer = (async () => {
    while (writing) {
      const from = sent;
      const bytes = Uint8Array.from(
        { length: 1_000 },
        (_, i) => numbered(from + i),
      );
      sent += await conn.write(bytes);
      await sleep(1);
    }
    await conn.closeWrite();
  })();
  const reader = (async () => {
    const into = new Uint8Array(64 * 1024);
    for (let n; (n = await conn.read(into)) !== null;) {
      for (let i = 0; i < n; i++) {
        if (into[i] !== numbered(got + i)) wrong++;
      }
      got += n;
      if (!writing && got === sent) break;
    }
  })();
  const pausesMs: number[] = [];
  for (let i = 0; i < kills; i++) {
    await sleep(60);
    const resumed = conn.once("resumed");
    await stop(child);
    child = start("serve", port, file, 0);
    await said(child);
    const from = performance.now();
    await resumed;
    pausesMs.push(performance.now() - from);
  }
  writing = false;
  await writer;
  await reader;
  conn.abort();
  await stop(child);
  // An echo that reads before it writes may lose what it held when it was
  // killed: that is what commits by the program are for. Here it shows as loss.
  return { pausesMs, lost: sent - got, duplicated: wrong };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { quick: { type: "boolean", default: false } },
  });
  const [rounds, bytes, kills] = values.quick
    ? [3, 128 * MIB, 10]
    : [9, 256 * MIB, 40];
  const folder = await Deno.makeTempDir();
  const speeds: [number[], number[]] = [[], []];
  for (let i = -1; i < rounds; i++) {
    const pair = [
      () => ours(`${folder}/ours${i}`, bytes),
      () => bare(`${folder}/bare${i}`, bytes),
    ];
    const order = i % 2 === 0 ? [0, 1] : [1, 0];
    for (const which of order) {
      const speed = await pair[which]!();
      if (i >= 0) speeds[which as 0 | 1].push(speed);
    }
    await Deno.remove(folder, { recursive: true });
    await Deno.mkdir(folder);
  }
  const [own, reference] = speeds;
  const ratios = own.map((speed, i) => speed / reference[i]!);
  progressOf("journalled by ours", own, "MB/s");
  progressOf("appended by a bare loop", reference, "MB/s");
  progressOf("  ratio journal_vs_sqlite", ratios, "    ");
  const { pausesMs, lost, duplicated } = await restarts(
    `${folder}/restarts`,
    kills,
  );
  progressOf("from listening to resumed", pausesMs, "ms  ");
  progress(`${kills} kills: lost ${lost}, duplicated ${duplicated}`);
  await Deno.remove(folder, { recursive: true });
  const redis = missing("redis-server") === undefined
    ? await measureRedis()
    : {};
  const redisFigures = Object.entries<number>({ ...redis });
  for (const [name, value] of redisFigures) {
    progress(`${name} ${round(value)}`);
  }
  console.log(JSON.stringify({
    bench: "durable",
    ratios: { journal_vs_sqlite: round(median(ratios)) },
    figures: {
      journal_mb_per_s: round(median(own)),
      restart_ms_p50: round(median(pausesMs)),
      restart_ms_max: round(Math.max(...pausesMs)),
      kills,
      lost,
      duplicated,
      ...Object.fromEntries(
        redisFigures.map(([name, value]) => [name, round(value)]),
      ),
    },
    peers: { bare_sqlite_mb_per_s: round(median(reference)) },
  }));
}
