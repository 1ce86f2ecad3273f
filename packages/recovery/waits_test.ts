import { Emitter } from "@holdfast/events/emitter";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  backoff,
  circuitBreaker,
  OUTAGE_BACKOFF,
  pausedWhile,
  RecoveryError,
  retry,
} from "./mod.ts";

type News = { readonly type: "online" | "offline" | "woke" | "settled" };

/** Whether it is settled by now, all microtasks done. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  return settled;
}

const HOUR_MS = 3_600_000;

Deno.test("a pause ends with good news, and not with any news", async () => {
  using network = new Emitter<News>();
  using pause = pausedWhile(network);
  const waiting = pause.wait(HOUR_MS);
  network.emit({ type: "settled" });
  assertEquals(await isSettled(waiting), false);
  network.emit({ type: "woke" });
  await waiting;
});

Deno.test("nothing is tried while the network is down, however long that is", async () => {
  using network = new Emitter<News>();
  using pause = pausedWhile(network);
  network.emit({ type: "offline" });
  const waiting = pause.wait(1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals([pause.paused, await isSettled(waiting)], [true, false]);
  // Better news than none, but there is still no network.
  network.emit({ type: "woke" });
  assertEquals(await isSettled(waiting), false);
  network.emit({ type: "online" });
  await waiting;
  assertEquals(pause.paused, false);
});

Deno.test("a watch that begins offline begins with a pause", () => {
  using network = new Emitter<News>();
  const watch = {
    on: (type: "*", listener: (event: { readonly type: string }) => void) =>
      network.on(type, listener),
    state: { online: false },
  };
  using pause = pausedWhile(watch);
  assert(pause.paused);
});

Deno.test("a wait obeys its signal at once, and its end when the pause is disposed", async () => {
  using network = new Emitter<News>();
  const pause = pausedWhile(network);
  const abort = new AbortController();
  const waiting = pause.wait(HOUR_MS, { signal: abort.signal });
  abort.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
  await assertRejects(() => pause.wait(1, { signal: abort.signal }), Error);
  network.emit({ type: "offline" });
  const other = pause.wait(HOUR_MS);
  pause[Symbol.dispose]();
  await other;
});

Deno.test("a breaker opens after failures in a row, tries one, and closes", async () => {
  let now = 0;
  const breaker = circuitBreaker({ failures: 3, openMs: 100, now: () => now });
  const refused = new Deno.errors.ConnectionRefused("no");
  const fail = () => breaker.run(() => Promise.reject(refused));
  const work = () => breaker.run(() => Promise.resolve("fine"));
  await assertRejects(fail);
  await assertRejects(fail);
  assertEquals(await work(), "fine");
  for (let i = 0; i < 3; i++) {
    await assertRejects(fail, Deno.errors.ConnectionRefused);
  }
  assertEquals(breaker.status, "open");
  const error = await assertRejects(work, RecoveryError);
  assertEquals([error.code, error.cause], ["recovery/open-circuit", refused]);
  now = 100;
  assertEquals(breaker.status, "half-open");
  // One at a time is let through.
  const gate = Promise.withResolvers<string>();
  const trying = breaker.run(() => gate.promise);
  await assertRejects(work, RecoveryError);
  gate.reject(refused);
  await assertRejects(() => trying, Deno.errors.ConnectionRefused);
  assertEquals(breaker.status, "open");
  breaker.halfOpen();
  assertEquals([await work(), breaker.status], ["fine", "closed"]);
});

Deno.test("a trial that never ends keeps no breaker open, and what began before counts no more", async () => {
  let now = 0;
  const breaker = circuitBreaker({ failures: 2, openMs: 100, now: () => now });
  const refused = new Deno.errors.ConnectionRefused("no");
  const fail = () => breaker.run(() => Promise.reject(refused));
  const work = () => breaker.run(() => Promise.resolve("fine"));
  const [good, bad] = [0, 1].map(() => Promise.withResolvers<string>());
  const late = [good!, bad!].map(({ promise }) => breaker.run(() => promise));
  await assertRejects(fail, Deno.errors.ConnectionRefused);
  await assertRejects(fail, Deno.errors.ConnectionRefused);
  now = 50;
  good!.resolve("from before");
  bad!.reject(refused);
  await Promise.allSettled(late);
  assertEquals(breaker.status, "open", "it was closed by what began before");
  now = 100;
  assertEquals(breaker.status, "half-open", "it was opened anew by it");
  void breaker.run(() => new Promise(() => {}));
  await assertRejects(work, RecoveryError);
  now = 200;
  assertEquals([await work(), breaker.status], ["fine", "closed"]);
});

Deno.test("a wait that no timer can hold is a long one, and none at all no wait", async () => {
  using network = new Emitter<News>();
  using pause = pausedWhile(network);
  const abort = new AbortController();
  const waits = [
    pause.wait(2 ** 40),
    pause.wait(Infinity),
    retry(() => {
      throw Object.assign(new Error("no"), { code: "ECONNREFUSED" });
    }, {
      ...{ firstMs: 2 ** 40, maxMs: 2 ** 40, floor: 1, attempts: 2 },
      ...{ deadlineMs: HOUR_MS, signal: abort.signal },
    }),
  ];
  const settled = waits.map((wait) => isSettled(wait));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(await Promise.all(settled), [false, false, false]);
  assertEquals(await isSettled(waits[2]!), false, "it retried at once");
  network.emit({ type: "online" });
  await Promise.all(waits.slice(0, 2));
  abort.abort(new Error("enough"));
  await assertRejects(() => waits[2]!, Error, "enough");
  for (const ms of [-1, NaN]) {
    await assertRejects(() => pause.wait(ms), RangeError, "ms");
  }
});

Deno.test("what is the program's own fault opens no breaker", async () => {
  const breaker = circuitBreaker({ failures: 1 });
  for (
    const error of [
      new DOMException("cancelled", "AbortError"),
      new Deno.errors.NotCapable("Requires net access"),
    ]
  ) {
    await assertRejects(() => breaker.run(() => Promise.reject(error)));
    assertEquals(breaker.status, "closed");
  }
  assertThrows(() => circuitBreaker({ failures: 0 }), RangeError);
});

/**
 * Clients that a server lost, and that come back to one that takes so many a
 * second: attempts of each, and when all are back. Time is virtual.
 */
function herd(
  options: {
    readonly clients: number;
    readonly perSecond: number;
    readonly downMs: number;
    readonly waitMs: (attempt: number) => number;
  },
): { attempts: number; most: number; allBackMs: number } {
  const { clients, perSecond, downMs, waitMs } = options;
  const due: { at: number; client: number; attempt: number }[] = [];
  for (let client = 0; client < clients; client++) {
    due.push({ at: waitMs(0), client, attempt: 0 });
  }
  const each = new Array<number>(clients).fill(0);
  let [room, roomAt, back, attempts, allBackMs] = [0, downMs, 0, 0, 0];
  while (back < clients) {
    due.sort((a, b) => b.at - a.at);
    const { at, client, attempt } = due.pop()!;
    attempts++;
    each[client]!++;
    if (at >= downMs) {
      room = Math.min(perSecond / 10, room + (at - roomAt) / 1_000 * perSecond);
      roomAt = at;
      if (room >= 1) {
        room--;
        back++;
        allBackMs = at;
        continue;
      }
    }
    due.push({ at: at + waitMs(attempt + 1), client, attempt: attempt + 1 });
  }
  return { attempts, most: Math.max(...each), allBackMs };
}

Deno.test("a thousand clients come back: at most 6 attempts each on average, in 1.5 times the ideal time", () => {
  const outage = { clients: 1_000, perSecond: 100, downMs: 5_000 };
  const jittered = herd({ ...outage, waitMs: backoff(OUTAGE_BACKOFF) });
  const naive = herd({
    ...outage,
    // Each client at the same time as the others, as a fixed second has it.
    waitMs: () => 1_000 + Math.random(),
  });
  assert(jittered.attempts / 1_000 <= 6, `${jittered.attempts}`);
  assert(jittered.most <= 9, `${jittered.most}`);
  const idealMs = outage.downMs + outage.clients / outage.perSecond * 1_000;
  assert(jittered.allBackMs <= 1.5 * idealMs, `${jittered.allBackMs}`);
  assert(naive.attempts > 3 * jittered.attempts, `${naive.attempts}`);
  assert(naive.allBackMs > 3 * idealMs, `${naive.allBackMs}`);
});
