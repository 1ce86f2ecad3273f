/** What a session in Redis costs: bytes, time, and memory there. */
import { connectResumable, type ResumableConn } from "@holdfast/resume";
import { RedisServer } from "@holdfast/testkit/redis";
import { median } from "../resume/numbers.ts";
import { dial, ours, said, start, stop } from "./processes.ts";

const BYTES = 256 * 1024 * 1024;
const ECHOES = 500;
const SESSIONS = 200;
const SECONDS = 3;

/** What was found; see docs/benchmarks.md. */
export interface RedisFigures {
  readonly redis_mb_per_s: number;
  readonly redis_echo_ms_p50: number;
  readonly redis_echoes_per_s: number;
  readonly redis_session_bytes: number;
}

async function echo(conn: ResumableConn): Promise<void> {
  const into = new Uint8Array(64);
  await conn.write(into);
  for (let at = 0; at < 64;) at += (await conn.read(into))!;
}

async function usedBytes(redis: RedisServer): Promise<number> {
  const text = await redis.command("INFO", "memory");
  return Number(/used_memory:(\d+)/.exec(text)![1]);
}

/** Measures with a Redis of its own, one node and one client process. */
export async function measureRedis(): Promise<RedisFigures> {
  await using redis = await RedisServer.start();
  const mbPerS = await ours(redis.url, BYTES);
  await redis.command("FLUSHALL");
  const child = start("serve", 0, redis.url, 0);
  const port = await said(child);
  const before = await usedBytes(redis);
  const conns: ResumableConn[] = [];
  for (let i = 0; i < SESSIONS; i++) {
    conns.push(await connectResumable(dial(port)));
  }
  await Promise.all(conns.map(echo));
  const after = await usedBytes(redis);
  const times: number[] = [];
  for (let i = 0; i < ECHOES; i++) {
    const from = performance.now();
    await echo(conns[0]!);
    times.push(performance.now() - from);
  }
  let echoes = 0;
  const until = performance.now() + SECONDS * 1000;
  await Promise.all(conns.map(async (conn) => {
    while (performance.now() < until) {
      await echo(conn);
      echoes++;
    }
  }));
  for (const conn of conns) conn.abort();
  await stop(child);
  return {
    redis_mb_per_s: mbPerS,
    redis_echo_ms_p50: median(times),
    redis_echoes_per_s: echoes / SECONDS,
    redis_session_bytes: (after - before) / SESSIONS,
  };
}
