import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { runs } from "@holdfast/testkit";
import fc from "fast-check";
import { acceptResumable, connectResumable } from "./mod.ts";
import type { MessageConn } from "./message_conn.ts";
import { messages } from "./messages.ts";
import { type Cut, CutRelay } from "./testdata/cut_relay.ts";
import { tcp } from "./testdata/legs.ts";
import { Table } from "./testdata/table.ts";
import { withoutReplay } from "./testing.ts";

const OPTIONS = { heartbeatMs: 30, handshakeTimeoutMs: 300 };
const TABLES = [new Table(6), new Table(7)] as const;

const size = fc.oneof(
  fc.constantFrom(0, 1, 3, 4, 5),
  fc.integer({ min: 0, max: 2_000 }),
  fc.integer({ min: 60_000, max: 140_000 }),
);
const sizes = fc.array(size, { maxLength: 20 });
const cut: fc.Arbitrary<Cut> = fc.record({
  // From inside the first record of a handshake to inside a later message.
  afterBytes: fc.oneof(
    fc.integer({ min: 0, max: 600 }),
    fc.integer({ min: 0, max: 200_000 }),
  ),
  side: fc.constantFrom("both", "both", "both", "client", "server"),
  gentle: fc.boolean(),
});
const schedule = fc.record({
  up: sizes,
  down: sizes,
  cuts: fc.array(cut, { minLength: 1, maxLength: 5 }),
  buffer: fc.constantFrom(2_000, 20_000, 1_048_576),
});

/** Sends all at once, so that they wait for each other, and ends the stream. */
async function sendAll(
  conn: MessageConn,
  table: Table,
  list: readonly number[],
): Promise<void> {
  await Promise.all(list.map((length, i) => conn.send(table.at(i, length))));
  await conn.conn.closeWrite();
}

/** Each message as long as it was, and with what stands in it. */
async function receiveAll(
  conn: MessageConn,
  table: Table,
  list: readonly number[],
): Promise<void> {
  let i = 0;
  for await (const message of conn) {
    assertEquals(message.length, list[i], `message ${i}`);
    table.check(i++, message);
  }
  assertEquals(i, list.length);
}

interface Schedule {
  readonly up: readonly number[];
  readonly down: readonly number[];
  readonly cuts: readonly Cut[];
  readonly buffer: number;
}

async function exchange(
  { up, down, cuts, buffer }: Schedule,
  wrap: <O extends object>(options: O) => O = (options) => options,
  stallMs = 15_000,
): Promise<number> {
  // The first connection opens the session; it is cut as soon as it is open.
  await using relay = await CutRelay.start(() => cuts[relay.connections - 1]);
  const { source, place } = tcp.listen("");
  relay.forward(place);
  // Both, as a sender that is told of little cannot send much at a time.
  const limits = { sendBufferBytes: buffer, receiveWindowBytes: buffer };
  const options = { ...OPTIONS, ...limits };
  await using server = acceptResumable(source, wrap(options));
  const stop = new AbortController();
  const client = await connectResumable(
    ({ signal }) => tcp.dial(relay.place, signal),
    wrap({ ...options, redialMaxMs: 50, signal: stop.signal }),
  );
  const near = messages(client);
  const far = messages(await server.accept());
  const work = Promise.all([
    sendAll(near, TABLES[0], up),
    receiveAll(near, TABLES[1], down),
    sendAll(far, TABLES[1], down),
    receiveAll(far, TABLES[0], up),
  ]);
  relay.cut();
  try {
    await deadline(work, stallMs);
    return relay.cuts;
  } finally {
    stop.abort();
    await work.catch(() => {});
  }
}

Deno.test("messages keep their boundaries through cuts at any byte (I18)", async () => {
  let cuts = 0;
  await fc.assert(
    fc.asyncProperty(schedule, async (one) => {
      cuts += await exchange(one);
    }),
    { numRuns: runs(15, 600), endOnFailure: true },
  );
  assert(cuts >= runs(15, 600), `only ${cuts} cuts`);
});

Deno.test("the same without replay fails: the check means something", async () => {
  const list = Array.from({ length: 30 }, (_, i) => 40_000 + i);
  const cuts: Cut[] = [1_000, 90_000, 150_000].map((afterBytes) => ({
    afterBytes,
    side: "both",
    gentle: false,
  }));
  const one = { up: list, down: list, cuts, buffer: 1_048_576 };
  const outcome = await exchange(one, withoutReplay, 2_000)
    .then(() => "whole", (error: Error) => error.name);
  assert(["ResumeError", "TimeoutError"].includes(outcome), outcome);
  await exchange(one);
});
