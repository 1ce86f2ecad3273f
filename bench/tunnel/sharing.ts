/** One session each, beside one session for all: latency, opening, memory, bytes. */
import { CutProxy } from "@holdfast/testkit/proxy";
import type { Running } from "../../tests/process/_tunnel_world.ts";
import { median, round } from "../resume/numbers.ts";

const MIB = 1024 * 1024;
const IDLE = 500;
const PINGS = 400;
const OPENINGS = 40;
const DELAY_MS = 10;

/** What was measured of one kind. */
export interface Sharing {
  /** A ping of 64 bytes while another connection is full, in milliseconds. */
  readonly ping_busy_ms_p50: number;
  readonly ping_busy_ms_p99: number;
  /** The same while another connection's program does not read at all. */
  readonly ping_stalled_ms_p50: number;
  /** From connecting to the first answer, at a round trip of 20 ms. */
  readonly open_ms_p50: number;
  /** Of both ends together, for a connection that says nothing. */
  readonly idle_bytes: number;
  /** Of eight connections at once. */
  readonly eight_mb_per_s: number;
}

type Start = (...args: (string | number)[]) => Running;

const connect = (port: number) => Deno.connect({ hostname: "127.0.0.1", port });

async function ping(conn: Deno.Conn): Promise<number> {
  const [out, into] = [new Uint8Array(64), new Uint8Array(64)];
  const from = performance.now();
  await conn.write(out);
  for (let n = 0; n < 64;) n += (await conn.read(into)) ?? 64;
  return performance.now() - from;
}

/** Several, or as much as came before the deadline. */
async function pings(port: number, deadlineMs: number): Promise<number[]> {
  const conn = await connect(port);
  const all: number[] = [];
  const until = performance.now() + deadlineMs;
  let over = false;
  const work = (async () => {
    while (!over && all.length < PINGS && performance.now() < until) {
      all.push(await ping(conn));
    }
  })().catch(() => {});
  await Promise.race([
    work,
    new Promise((resolve) => setTimeout(resolve, deadlineMs + 1_000)),
  ]);
  over = true;
  conn.close();
  return all.length > 0 ? all : [Infinity];
}

async function echoed(port: number, bytes: number): Promise<void> {
  const conn = await connect(port);
  const chunk = new Uint8Array(64 * 1024);
  const writing = (async () => {
    for (let sent = 0; sent < bytes;) {
      sent += await conn.write(chunk.subarray(0, bytes - sent));
    }
    await conn.closeWrite();
  })();
  const into = new Uint8Array(256 * 1024);
  for (let got = 0; got < bytes;) got += (await conn.read(into)) ?? bytes;
  await writing;
  conn.close();
}

async function rssOf(ends: readonly Running[]): Promise<number> {
  let pages = 0;
  for (const { child } of ends) {
    // Deno itself may read it only with every permission.
    const { stdout } = await new Deno.Command("cat", {
      args: [`/proc/${child.pid}/statm`],
    }).output();
    pages += Number(new TextDecoder().decode(stdout).split(" ")[1]);
  }
  return pages * 4096;
}

/** Measures one kind. */
export async function sharing(
  start: Start,
  portOf: (end: Running) => Promise<number>,
  far: string,
  near: string,
): Promise<Sharing> {
  await using stack = new AsyncDisposableStack();
  const target = stack.use(start("echo"));
  const serve = stack.use(start(far, `127.0.0.1:${await portOf(target)}`));
  const slow = stack.use(await CutProxy.start({ delayMs: DELAY_MS }));
  const farPort = await portOf(serve);
  slow.forward("127.0.0.1", farPort);
  const entry = stack.use(start(near, `127.0.0.1:${farPort}`));
  const port = await portOf(entry);

  let full = true;
  const bulk = (async () => {
    while (full) await echoed(port, 16 * MIB);
  })();
  const busy = (await pings(port, 15_000)).sort((a, b) => a - b);
  full = false;
  await bulk;

  const from = performance.now();
  await Promise.all(Array.from({ length: 8 }, () => echoed(port, 16 * MIB)));
  const eight = 8 * 16 * MIB / 1000 / (performance.now() - from);

  const before = await rssOf([serve, entry]);
  const idle: Deno.Conn[] = [];
  for (let i = 0; i < IDLE; i++) {
    const conn = await connect(port);
    await ping(conn);
    idle.push(conn);
  }
  const bytes = (await rssOf([serve, entry]) - before) / IDLE;
  for (const conn of idle) conn.close();

  // What one program does not read is in everybody's way, or in nobody's.
  const stalled = await connect(port);
  void (async () => {
    for (;;) await stalled.write(new Uint8Array(64 * 1024));
  })().catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const held = await pings(port, 3_000);
  stalled.close();

  const away = stack.use(start(near, `127.0.0.1:${slow.port}`));
  const awayPort = await portOf(away);
  const openings: number[] = [];
  for (let i = 0; i < OPENINGS; i++) {
    const at = performance.now();
    using conn = await connect(awayPort);
    await ping(conn);
    openings.push(performance.now() - at);
  }
  return {
    ping_busy_ms_p50: round(median(busy)),
    ping_busy_ms_p99: round(busy[Math.floor(busy.length * 0.99)]!),
    ping_stalled_ms_p50: round(median(held)),
    open_ms_p50: round(median(openings)),
    idle_bytes: Math.round(bytes),
    eight_mb_per_s: round(eight),
  };
}
