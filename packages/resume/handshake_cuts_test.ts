import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { runs } from "@holdfast/testkit";
import {
  acceptResumable,
  connectResumable,
  type ResumeServer,
  type Transport,
} from "./mod.ts";
import { type Cut, CutRelay } from "./testdata/cut_relay.ts";
import { tcp } from "./testdata/legs.ts";
import { Random, seeded } from "./testdata/random.ts";
import { Table } from "./testdata/table.ts";

const OPTIONS = { heartbeatMs: 30, handshakeTimeoutMs: 300 };
const TABLE = new Table(3);
const STREAM_BYTES = 20_000;
// Beyond the last byte of any handshake, up to the first frames.
const POSITIONS = 330;

interface Ends extends AsyncDisposable {
  readonly server: ResumeServer;
  readonly relay: CutRelay;
}

/** A server behind a relay that cuts the connection with this number. */
async function serveBehind(which: number, cut: Cut): Promise<Ends> {
  const relay = await CutRelay.start(() =>
    relay.connections + 1 === which ? cut : undefined
  );
  const { source, place } = tcp.listen("");
  relay.forward(place);
  const server = acceptResumable(source, OPTIONS);
  return {
    server,
    relay,
    async [Symbol.asyncDispose]() {
      await server.close();
      await relay[Symbol.asyncDispose]();
    },
  };
}

async function sendAll(conn: Pick<Deno.Conn, "write">): Promise<void> {
  const bytes = TABLE.at(0, STREAM_BYTES);
  for (let at = 0; at < bytes.length;) {
    at += await conn.write(bytes.subarray(at));
  }
}

async function receiveAll(conn: Pick<Deno.Conn, "read">): Promise<void> {
  const into = new Uint8Array(STREAM_BYTES);
  for (let at = 0; at < STREAM_BYTES;) {
    const n = await conn.read(into);
    assert(n !== null, `the stream ended at ${at}`);
    TABLE.check(at, into.subarray(0, n));
    at += n;
  }
}

/** Opens a session, or has it resume, through a cut; then both ends talk. */
async function talkThrough(which: number, cut: Cut): Promise<void> {
  await using ends = await serveBehind(which, cut);
  const { server, relay } = ends;
  const stop = new AbortController();
  const opened = connectResumable(
    ({ signal }) => tcp.dial(relay.place, signal),
    { ...OPTIONS, redialMaxMs: 50, signal: stop.signal },
  );
  try {
    const client = await deadline(opened, 5_000);
    if (which === 2) {
      const served = server.accept();
      await deadline(served, 5_000);
      relay.cut();
      await deadline(exchange(client, served), 10_000);
    } else await deadline(exchange(client, server.accept()), 10_000);
    assert(relay.cuts >= which, "nothing was cut");
  } finally {
    stop.abort();
    await opened.catch(() => {});
  }
}

async function exchange(
  client: Pick<Deno.Conn, "read" | "write">,
  served: Promise<Pick<Deno.Conn, "read" | "write">>,
): Promise<void> {
  await Promise.all([
    sendAll(client),
    receiveAll(client),
    served.then(sendAll),
    served.then(receiveAll),
  ]);
}

const WORDS = ["first", "second"];
for (const which of [1, 2]) {
  const name = which === 1 ? "that opens a session" : "that resumes one";
  Deno.test(`a cut at any byte of the handshake ${name} costs a try, and no byte (I11)`, () =>
    seeded("packages/resume/handshake_cuts_test.ts", async (seed) => {
      const random = new Random(seed);
      const count = runs(20, POSITIONS);
      const failed: string[] = [];
      for (let i = 0; i < count; i++) {
        // One byte of each stretch; a soak run has every one.
        const from = Math.floor(i * POSITIONS / count);
        const to = Math.floor((i + 1) * POSITIONS / count) - 1;
        const cut: Cut = {
          afterBytes: random.int(from, to),
          side: random.pick(["both", "both", "client", "server"]),
          gentle: random.next() < 0.7,
        };
        await talkThrough(which, cut).catch((error) => {
          failed.push(
            `${JSON.stringify(cut)} of the ${
              WORDS[which - 1]
            } transport: ${error}`,
          );
        });
      }
      assertEquals(failed, []);
    }));
}

/** A transport that, after so many writes, takes and brings nothing more. */
function stuckAfter(writes: number, transport: Transport): Transport {
  let fail: (error: unknown) => void = () => {};
  const forever = new Promise<never>((_, reject) => fail = reject);
  forever.catch(() => {});
  let left = writes;
  let stuck = false;
  return {
    localAddr: transport.localAddr,
    remoteAddr: transport.remoteAddr,
    read: async (into) => {
      const n = await Promise.race([transport.read(into), forever]);
      return stuck ? await forever : n;
    },
    write: (bytes) => {
      if (left-- > 0) return transport.write(bytes);
      stuck = true;
      return forever;
    },
    close: () => {
      fail(new Deno.errors.Interrupted("closed"));
      transport.close();
    },
  };
}

for (const [what, writes] of [["first", 2], ["second", 3]] as const) {
  Deno.test(`a path that dies under the ${what} write of a stream is found by its silence (I25)`, async () => {
    const { source, place } = tcp.listen("");
    await using server = acceptResumable(source, OPTIONS);
    const stop = new AbortController();
    const dialled: Transport[] = [];
    const client = await connectResumable(async ({ signal }) => {
      const transport = await tcp.dial(place, signal);
      // On the second one: RESUME, CONFIRM, and then the stream.
      const broken = dialled.length === 1;
      dialled.push(broken ? stuckAfter(writes, transport) : transport);
      return dialled.at(-1)!;
    }, { ...OPTIONS, redialMaxMs: 50, signal: stop.signal });
    const served = await server.accept();
    const reasons: string[] = [];
    client.on("detached", ({ reason }) => reasons.push(reason));
    try {
      dialled[0]!.close();
      // More than goes out in one write, and less than makes the program wait.
      const bytes = TABLE.at(0, 250_000);
      for (let i = 0; i < 4; i++) await client.write(bytes);
      const into = new Uint8Array(bytes.length);
      const total = client.bytesWritten;
      const reading = (async () => {
        while (served.bytesRead < total) await served.read(into);
      })();
      await deadline(reading, 5_000);
      assertEquals(reasons, ["transport-failed", "silent"]);
    } finally {
      stop.abort();
    }
  });
}
