import { Emitter } from "@holdfast/events/emitter";
import { testWith } from "@holdfast/testkit";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type DeadReason,
  type Look,
  openLiveness,
  pairsOf,
  readSs,
  readSsRows,
  stepLiveness,
} from "./_liveness_rules.ts";
import { watchLiveness } from "./mod.ts";
import { runInNamespace } from "./testdata/in_namespace.ts";

const RULES = { deadlineMs: 1_500, lookMs: 250 };

/** What a row of looks says, one each 250 ms unless told otherwise. */
function judge(
  looks: readonly (Look & { readonly afterMs?: number })[],
): DeadReason | undefined {
  let state = openLiveness(0);
  let now = 0;
  for (const look of looks) {
    now += look.afterMs ?? RULES.lookMs;
    const [next, dead] = stepLiveness(state, look, now, RULES);
    if (dead !== undefined) return dead;
    state = next;
  }
  return undefined;
}

const word = (unacked: number, backoff: number, beating = false): Look => ({
  kernel: { unacked, backoff },
  beating,
});
const many = <T>(count: number, item: T): T[] => new Array(count).fill(item);

Deno.test("two time-outs in a row, or one that lasts, are a dead path", () => {
  assertEquals(judge([word(3, 2)]), "unacknowledged");
  assertEquals(judge(many(7, word(3, 1))), "unacknowledged");
  assertEquals(judge(many(6, word(3, 1))), undefined);
  // Data that is on its way is not late yet.
  assertEquals(judge(many(100, word(3, 0))), undefined);
  assertEquals(judge(many(100, word(0, 0))), undefined);
});

Deno.test("an answer in between begins the time anew", () => {
  const almost = many(6, word(3, 1));
  assertEquals(judge([...almost, word(0, 0), ...almost]), undefined);
  const beats = many(6, word(0, 0, true));
  assertEquals(judge([...beats, word(0, 0), ...beats]), undefined);
  assertEquals(judge(many(7, word(0, 0, true))), "heartbeat-missed");
});

Deno.test("whoever slept judges nobody by the time that was missed", () => {
  const late = { ...word(3, 2, true), afterMs: 60_000 };
  assertEquals(judge([word(3, 1, true), late]), undefined);
  assertEquals(judge([late, ...many(1, word(3, 2))]), "unacknowledged");
  // For ever standing still, it never judges.
  assertEquals(judge(many(50, late)), undefined);
});

Deno.test("without the kernel's word heartbeats alone decide", () => {
  const look = (beating: boolean) => ({ kernel: undefined, beating });
  assertEquals(judge(many(100, look(false))), undefined);
  assertEquals(judge(many(7, look(true))), "heartbeat-missed");
});

Deno.test("readSs() takes the two numbers, and nothing from noise", () => {
  const line =
    "ESTAB 0 3000 10.66.2.1:5 10.66.2.2:7000 cubic rto:3264 backoff:4 unacked:3 retrans:1/4";
  assertEquals(readSs(line), { unacked: 3, backoff: 4 });
  assertEquals(readSs("ESTAB 0 0 a b cubic rto:204"), {
    unacked: 0,
    backoff: 0,
  });
  assertEquals(readSs("\n"), undefined);
  const rows = readSsRows(
    `${line}\nESTAB 0 0 [::ffff:10.0.0.1]:7 [fe80::1]%eth0:8 rto:1\nnoise`,
  );
  assertEquals([...rows.keys()], [
    "10.66.2.1:5 10.66.2.2:7000",
    "10.0.0.1:7 [fe80::1]:8",
  ]);
  assertEquals(rows.get(pairsOf("10.0.0.1:7", "[fe80::1%2]:8"))?.unacked, 0);
  fc.assert(fc.property(fc.string(), (text) => {
    readSsRows(text);
    const word = readSs(text);
    assert(word === undefined || word.unacked >= 0 && word.backoff >= 0);
  }));
});

Deno.test("watchLiveness() beats on news, ends when disposed, and refuses bad numbers", async () => {
  using network = new Emitter<{ readonly type: "online" }>();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using conn = await Deno.connect({
    ...{ hostname: "127.0.0.1", port: listener.addr.port },
  });
  using _accepted = await listener.accept();
  const beat = Promise.withResolvers<AbortSignal>();
  const liveness = watchLiveness(conn, {
    ...{ network, heartbeatMs: 3_600_000 },
    heartbeat: (signal) => (beat.resolve(signal), Promise.resolve()),
  });
  network.emit({ type: "online" });
  const signal = await beat.promise;
  await liveness[Symbol.asyncDispose]();
  assert(signal.aborted);
  assertThrows(() => watchLiveness(conn, { lookMs: 0 }), RangeError);
});

Deno.test("a heartbeat that throws is none that is missed, and ends no program", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using conn = await Deno.connect({
    ...{ hostname: "127.0.0.1", port: listener.addr.port },
  });
  using _accepted = await listener.accept();
  let beats = 0;
  const twice = Promise.withResolvers<void>();
  const liveness = watchLiveness(conn, {
    ...{ lookMs: 5, heartbeatMs: 5 },
    heartbeat: () => {
      if (++beats === 2) twice.resolve();
      throw new Error("nothing to send it by");
    },
  });
  await twice.promise;
  await liveness[Symbol.asyncDispose]();
});

testWith({
  name: "a watch ends with its connection, and many ask together",
  needs: ["netns"],
  fn: async () => {
    // On `::` the ends of a connection over IPv4 are written as IPv6.
    using listener = Deno.listen({ hostname: "::", port: 0 });
    const conns: Deno.TcpConn[] = [];
    for (let i = 0; i < 40; i++) {
      conns.push(
        await Deno.connect({
          ...{
            hostname: i % 2 ? "127.0.0.1" : "::1",
            port: listener.addr.port,
          },
        }),
      );
      conns.push(await listener.accept());
    }
    const seen: Promise<void>[] = [];
    const watches = conns.map((conn) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      let looks = 0;
      seen.push(promise);
      return watchLiveness(conn, {
        ...{ lookMs: 5, heartbeatMs: 1, deadlineMs: 60_000 },
        // Each look begins with one, so that the third shows that one is over.
        heartbeat: () => Promise.resolve(++looks === 3 && resolve()),
      });
    });
    const ends = watches.map(async (watch) => {
      for await (const event of watch.events()) throw new Error(event.type);
    });
    assertEquals(watches[0]?.by, ["kernel", "heartbeat"]);
    await Promise.all(seen);
    for (const conn of conns) conn.close();
    await Promise.all(ends);
    for (const watch of watches) await watch[Symbol.asyncDispose]();
  },
});

testWith({
  name:
    "packets that are swallowed are found out, and a frozen peer is not taken for dead",
  needs: ["netns", "iptables"],
  timeout: 120_000,
  fn: () => runInNamespace("./liveness_driver.ts"),
});
