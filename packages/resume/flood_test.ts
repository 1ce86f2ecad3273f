import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { runs } from "@holdfast/testkit";
import {
  acceptResumable,
  connectResumable,
  type ResumableConn,
  type ServerLimits,
} from "./mod.ts";
import { tcp } from "./testdata/legs.ts";
import { liveBytes } from "./testdata/memory.ts";
import { Random, seeded } from "./testdata/random.ts";
import { PIECE_MAX, Table } from "./testdata/table.ts";
import { join, tap, type Tape } from "./testdata/tap.ts";

const HANDSHAKES_MAX = 40;
// As many as one attacker has open at a time: several times the limit.
const CROWD = 160;
const MIB = 1024 * 1024;
const TABLE = new Table(9);

/** A server with one live session that has resumed once, all of it on tape. */
async function serveLive(limits: ServerLimits, handshakeTimeoutMs: number) {
  const { source, place } = tcp.listen("");
  const server = acceptResumable(source, { limits, handshakeTimeoutMs });
  const tapes: Tape[] = [];
  const transports: Deno.Conn[] = [];
  const stop = new AbortController();
  const dial = () =>
    tcp.dial(place, new AbortController().signal) as Promise<Deno.Conn>;
  const client = await connectResumable(async () => {
    const transport = await dial();
    transports.push(transport);
    const tape: Tape = { said: [], heard: [] };
    // Only the first words of each are wanted.
    tapes.push(tape);
    return tapes.length <= 2 ? tap(transport, tape) : transport;
  }, { signal: stop.signal });
  const served = await server.accept();
  const resumed = client.once("resumed");
  transports[0]!.close();
  await resumed;
  await delay(20);
  return {
    server,
    client,
    served,
    dial,
    opening: tapes[0]!.said[0]!,
    resumption: tapes[1]!.said[0]!,
    confirmation: tapes[1]!.said[1]!,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await server.close();
    },
  };
}

type Live = Awaited<ReturnType<typeof serveLive>>;

/** Half-open connections, and how many of them the server still bears. */
class Flood {
  readonly #live: Live;
  readonly #open = new Set<Deno.Conn>();
  made = 0;
  #busy = 0;

  constructor(live: Live) {
    this.#live = live;
  }

  get open(): number {
    return this.#open.size;
  }

  async add(words: Uint8Array | undefined): Promise<void> {
    this.#busy++;
    this.made++;
    try {
      const conn = await this.#live.dial();
      this.#open.add(conn);
      if (words !== undefined) await conn.write(words).catch(() => {});
      void this.#wait(conn);
    } finally {
      this.#busy--;
    }
  }

  // Whatever the server says, it is not answered.
  async #wait(conn: Deno.Conn): Promise<void> {
    const into = new Uint8Array(256);
    try {
      while (await conn.read(into) !== null);
    } catch {
      // A reset ends it as well.
    }
    this.#open.delete(conn);
    try {
      conn.close();
    } catch {
      // Closed by `close` meanwhile.
    }
  }

  async close(): Promise<void> {
    for (const conn of this.#open) conn.close();
    while (this.#open.size + this.#busy > 0) await delay(1);
  }
}

function randomWords(random: Random, live: Live): Uint8Array | undefined {
  const { opening, resumption, confirmation } = live;
  const forged = resumption.slice();
  forged[random.int(20, forged.length - 1)]! ^= 1;
  return random.pick([
    undefined,
    opening,
    opening.subarray(0, random.int(1, opening.length - 1)),
    join([opening, confirmation]),
    resumption,
    join([resumption, confirmation]),
    forged,
  ]);
}

Deno.test("half-open handshakes are borne up to the limit and no further (I21)", async () => {
  const held: number[] = [];
  for (const most of [HANDSHAKES_MAX, 100_000]) {
    const limits = { handshakesMax: most, handshakesPerAddressMax: most };
    await using live = await serveLive(limits, 2_000);
    const flood = new Flood(live);
    await Promise.all(
      Array.from(
        { length: CROWD },
        (_, i) => flood.add(i % 2 === 0 ? undefined : live.opening),
      ),
    );
    // Refusals arrive within moments, time-outs only much later.
    for (let before = -1; before !== flood.open;) {
      before = flood.open;
      await delay(100);
    }
    held.push(flood.open);
    assertEquals(live.server.sessions, 1);
    await flood.close();
  }
  // The second server shows that the count sees what is borne.
  assertEquals(held, [HANDSHAKES_MAX, CROWD]);
});

Deno.test("a flood of half-open handshakes costs no memory and leaves a live stream alone (I21)", () =>
  seeded("packages/resume/flood_test.ts", async (seed) => {
    const limits = {
      handshakesMax: HANDSHAKES_MAX,
      handshakesPerAddressMax: HANDSHAKES_MAX,
    };
    await using live = await serveLive(limits, 100);
    const { client, served, server } = live;
    let disturbed = 0;
    let refused = 0;
    client.on("detached", () => disturbed++);
    served.on("detached", () => disturbed++);
    server.on("handshake-refused", () => refused++);
    let running = true;
    const streaming = Promise.all([
      stream(client, () => running),
      check(served),
    ]);

    const flood = new Flood(live);
    const random = new Random(seed);
    const total = runs(2_000, 100_000);
    const before = liveBytes();
    let most = 0;
    let streamed = 0;
    for (let wave = 0; flood.made < total; wave++) {
      const at = served.bytesRead;
      while (flood.open >= CROWD) await delay(1);
      const size = Math.min(50, total - flood.made);
      await Promise.all(
        Array.from(
          { length: size },
          () => flood.add(randomWords(random, live)),
        ),
      );
      if (wave % 10 === 0) most = Math.max(most, liveBytes() - before);
      if (served.bytesRead > at) streamed++;
      assertEquals(server.sessions, 1);
    }
    while (flood.open > 0) await delay(5);
    running = false;
    await streaming;
    await delay(20);
    assertEquals([flood.made, refused], [total, total]);
    assertEquals([disturbed, client.stats().resumed], [0, 1]);
    assertEquals(client.bytesWritten, served.bytesRead);
    assert(streamed > 0);
    // The stream's buffers, and what some crowd's sockets and answers take.
    assert(most < 8 * MIB, `${most} bytes while under way`);
    const left = liveBytes() - before;
    assert(left < 8 * MIB + total * 8, `${left} bytes after it`);
  }));

/** Streams at a pace that leaves the machine to others. */
async function stream(
  conn: ResumableConn,
  running: () => boolean,
): Promise<void> {
  while (running()) {
    await conn.write(TABLE.at(conn.bytesWritten, 40_000));
    await delay(2);
  }
  await conn.closeWrite();
}

async function check(conn: ResumableConn): Promise<void> {
  const into = new Uint8Array(PIECE_MAX);
  for (;;) {
    const at = conn.bytesRead;
    const n = await conn.read(into);
    if (n === null) return;
    TABLE.check(at, into.subarray(0, n));
  }
}
