import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import { runs } from "@holdfast/testkit";
import {
  acceptResumable,
  connectResumable,
  type ResumableConn,
  ResumeError,
  type ResumeServer,
  type TransportSource,
} from "./mod.ts";
import { withoutReplay } from "./testing.ts";
import { type Cut, CutRelay } from "./testdata/cut_relay.ts";
import { type Leg, tcp, tls, unix, webSocket } from "./testdata/legs.ts";
import { Random, seeded } from "./testdata/random.ts";
import { PIECE_MAX, Table } from "./testdata/table.ts";

const CUTS_A_RUN = 5;
const STALL_MS = 20_000;
// Short, as cuts that a side does not see cost it three of them.
const OPTIONS = { heartbeatMs: 20, handshakeTimeoutMs: 200 };
const UP = new Table(1);
const DOWN = new Table(2);

type Wrap = <O extends object>(options: O) => O;

/** Where a connection breaks: in the handshake, right after it, or at full speed. */
function planCut(random: Random, leg: Leg, opened: boolean): Cut {
  const shake = leg.handshakeBytes;
  const afterBytes = !opened ? random.int(2 * shake, 300_000) : random.pick([
    () => random.int(0, shake), // once more within the same round trip
    () => random.int(shake, shake + 3_000),
    () => random.int(3_000, 300_000),
    () => random.int(300_000, 3_000_000),
  ])();
  return {
    afterBytes,
    side: random.pick(
      ["both", "both", "both", "client", "client", "server", "neither"],
    ),
    gentle: random.next() < 0.3,
  };
}

/** Writes its table as fast as it goes, until `enough`; resumable by itself. */
async function write(
  conn: ResumableConn,
  table: Table,
  random: Random,
  enough: () => boolean,
): Promise<void> {
  while (!enough()) {
    const size = random.pick([1, 700, 64 * 1024, PIECE_MAX]);
    await conn.write(table.at(conn.bytesWritten, size));
  }
  await conn.closeWrite();
}

/** Reads to the end, and checks each byte against where it stands. */
async function read(conn: ResumableConn, table: Table): Promise<void> {
  const into = new Uint8Array(PIECE_MAX);
  for (;;) {
    const at = conn.bytesRead;
    const n = await conn.read(into);
    if (n === null) return;
    table.check(at, into.subarray(0, n));
    assertEquals(conn.bytesRead, at + n);
  }
}

/** A server whose sessions go on in another one, whenever it is asked to. */
class MovingServer {
  readonly #leg: Leg;
  readonly #folder: string;
  readonly #wrap: Wrap;
  #server!: ResumeServer;
  #source!: TransportSource;
  conn!: ResumableConn;
  moves = 0;

  constructor(leg: Leg, folder: string, wrap: Wrap) {
    this.#leg = leg;
    this.#folder = folder;
    this.#wrap = wrap;
  }

  start(relay: CutRelay, restore?: Uint8Array): void {
    const { source, place } = this.#leg.listen(this.#folder);
    this.#source = source;
    const options = this.#wrap({ ...OPTIONS, ttlMs: 5_000, restore });
    this.#server = acceptResumable(source, options);
    relay.forward(place);
  }

  async accept(): Promise<void> {
    this.conn = await this.#server.accept();
  }

  async move(relay: CutRelay): Promise<void> {
    const before = this.conn;
    const state = await this.#server.suspend();
    this.#source.close();
    await this.#server.close();
    this.start(relay, state);
    await this.accept();
    const { sid, bytesRead, bytesWritten, restored } = this.conn;
    assert(restored && sid === before.sid);
    assertEquals([bytesRead, bytesWritten], [
      before.bytesRead,
      before.bytesWritten,
    ]);
    this.moves++;
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}

/** Serves both directions through every move; fails as the client's side would. */
async function serve(
  server: MovingServer,
  random: Random,
  enough: () => boolean,
  moveWhen: () => boolean,
  relay: CutRelay,
): Promise<void> {
  let written = false;
  for (;;) {
    const { conn } = server;
    const work = Promise.allSettled([
      written
        ? undefined
        : write(conn, DOWN, random, enough).then(() => written = true),
      read(conn, UP),
    ]);
    let done = false;
    void work.then(() => done = true);
    while (!done && !moveWhen()) await delay(2);
    if (done) {
      for (const end of await work) {
        if (end.status === "rejected") throw end.reason;
      }
      return;
    }
    await server.move(relay);
    for (const end of await work) {
      if (end.status === "fulfilled") continue;
      if (end.reason instanceof ResumeError) {
        assertEquals(end.reason.code, "resume/suspended");
      } else throw end.reason;
    }
  }
}

/** One session through some cuts; gives how many. */
async function run(
  leg: Leg,
  seed: number,
  options: {
    readonly moving: boolean;
    readonly wrap?: Wrap;
    readonly stallMs?: number;
  },
): Promise<{ readonly cuts: number; readonly moves: number }> {
  const { moving, wrap = (o) => o, stallMs = STALL_MS } = options;
  const random = new Random(seed);
  const folder = leg.relayPath === undefined ? "" : await Deno.makeTempDir();
  let opened = false;
  await using relay = await CutRelay.start(
    () => relay.cuts < CUTS_A_RUN ? planCut(random, leg, opened) : undefined,
    leg.relayPath?.(folder),
  );
  const server = new MovingServer(leg, folder, wrap);
  server.start(relay);
  const stop = new AbortController();
  const client = await connectResumable(
    ({ signal }) => leg.dial(relay.place, signal),
    wrap({ ...OPTIONS, redialMaxMs: 50, signal: stop.signal }),
  );
  await server.accept();
  opened = true;
  const enough = () => relay.cuts >= CUTS_A_RUN;
  const thresholds = moving ? [random.int(0, 2), random.int(3, 4)] : [];
  const moveWhen = () => relay.cuts >= (thresholds[server.moves] ?? Infinity);
  const parts = [
    write(client, UP, random, enough),
    read(client, DOWN),
    serve(server, random, enough, moveWhen, relay),
  ];
  try {
    await deadline(Promise.all(parts), stallMs);
    assertEquals(client.bytesWritten, server.conn.bytesRead);
    assertEquals(client.bytesRead, server.conn.bytesWritten);
    assert(client.stats().resumed > 0);
    client.close();
    server.conn.close();
    await deadline(
      Promise.all([client.closed, server.conn.closed]),
      STALL_MS,
    );
    assertEquals([client.state.name, server.conn.state.name], [
      "closed",
      "closed",
    ]);
  } finally {
    stop.abort();
    await server.close();
    // All of them: the first failure ends the wait, not the other two.
    await Promise.allSettled(parts);
    if (folder !== "") await Deno.remove(folder, { recursive: true });
  }
  return { cuts: relay.cuts, moves: server.moves };
}

for (const leg of [tcp, tls, unix, webSocket]) {
  Deno.test(`nothing is lost, doubled or reordered through cuts over ${leg.name} (I1, I2, I4, I14)`, () =>
    seeded("packages/resume/cuts_test.ts", async (seed) => {
      let cuts = 0;
      let moves = 0;
      const wanted = runs(50, 2_500);
      for (let i = 0; cuts < wanted; i++) {
        const done = await run(leg, seed + i, { moving: i % 2 === 1 });
        cuts += done.cuts;
        moves += done.moves;
      }
      assert(moves >= wanted / CUTS_A_RUN / 4, `only ${moves} moves`);
    }));
}

Deno.test("the same cuts without replay are noticed: the check means something", () =>
  seeded("packages/resume/cuts_test.ts", async (seed) => {
    const options = { moving: false, wrap: withoutReplay, stallMs: 1_500 };
    let noticed = 0;
    for (let i = 0; i < 3; i++) {
      await run(tcp, seed + i, options).catch((error) => {
        // What was lost is a gap, or two ends that wait for each other.
        const gap = error instanceof ResumeError &&
          ["resume/gone", "resume/protocol", "resume/reset"].includes(
            error.code,
          );
        const stall = (error as Error).name === "TimeoutError";
        if (!gap && !stall) throw error;
        noticed++;
      });
    }
    assert(noticed > 0);
  }));
