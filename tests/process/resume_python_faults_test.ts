/**
 * docs/resume-protocol.md also tells a client what to do when things go wrong:
 * lost answers, refusals, servers that are replaced, keys that do not match.
 * The client is resume_client.py, which was written from that page.
 */
import { type AcceptOptions, acceptResumable } from "@holdfast/resume";
import type { ResumableConn, ResumeServer } from "@holdfast/resume";
import { testWith } from "@holdfast/testkit";
import { CutProxy, type CutSide } from "@holdfast/testkit/proxy";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { deadline, delay } from "@std/async";
import { createHash } from "node:crypto";

const here = (path: string) => new URL(path, import.meta.url).pathname;
const CLIENT = here("resume_client.py");
const VECTORS = here("../../packages/resume/testdata/vectors.json");
const MIB = 1024 * 1024;
const STALL_MS = 12_000;
const HEARTBEAT_MS = 60;
// Small buffers, so that no cut finds a whole stream in flight or delivered.
const OPTIONS: AcceptOptions = {
  heartbeatMs: HEARTBEAT_MS,
  receiveWindowBytes: MIB / 8,
  sendBufferBytes: MIB / 8,
};
const KEY = new Uint8Array(32).fill(7);
const keys: AcceptOptions["presharedKey"] = (keyId) =>
  new TextDecoder().decode(keyId) === "game" ? KEY : undefined;

/** What the client prints at its end. */
interface Report {
  readonly ok: boolean;
  readonly error: string | null;
  readonly epoch: number;
  readonly sent: number;
  readonly sentSha256: string;
  readonly received: number;
  readonly receivedSha256: string;
  readonly replayed: number;
  readonly refusals: readonly number[];
  readonly notices: readonly (readonly [number, string])[];
  readonly cuts: number;
  readonly resumes: number;
  readonly silences: number;
  readonly pings: number;
  readonly pongs: number;
}

interface Ended {
  readonly code: number;
  readonly report: Report;
}

async function python(...args: string[]): Promise<Ended> {
  const child = new Deno.Command("python3", {
    args: [CLIENT, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  try {
    const { code, stdout, stderr } = await deadline(output, STALL_MS);
    const decoder = new TextDecoder();
    assertEquals(decoder.decode(stderr), "");
    return { code, report: JSON.parse(decoder.decode(stdout)) };
  } catch (error) {
    // It may have ended by itself meanwhile.
    if (error instanceof DOMException) child.kill("SIGKILL");
    await output;
    throw error;
  }
}

/** A server behind a proxy that cuts, and can be replaced by its successor. */
class Place implements AsyncDisposable {
  readonly #options: AcceptOptions;
  readonly proxy: CutProxy;
  /** Until the server that took over last is there. */
  moving: Promise<void> = Promise.resolve();
  #listener!: Deno.TcpListener;
  server!: ResumeServer;

  private constructor(proxy: CutProxy, options: AcceptOptions) {
    this.proxy = proxy;
    this.#options = { ...OPTIONS, ...options };
    this.#start();
  }

  static async open(options: AcceptOptions = {}): Promise<Place> {
    // It holds bytes back, so that a cut always finds some on their way.
    return new Place(await CutProxy.start({ delayMs: 2 }), options);
  }

  #start(restore?: Uint8Array): void {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.server = acceptResumable(this.#listener, {
      ...this.#options,
      restore,
    });
    this.proxy.forward("127.0.0.1", this.#listener.addr.port);
  }

  client(...args: string[]): Promise<Ended> {
    return python("--port", String(this.proxy.port), ...args);
  }

  /** Another server takes its place, with its sessions or without. */
  replace(how: "with sessions" | "empty"): Promise<void> {
    return this.moving = this.#replace(how);
  }

  async #replace(how: "with sessions" | "empty"): Promise<void> {
    const state = await this.server.suspend();
    this.#listener.close();
    await this.server.close();
    this.#start(how === "empty" ? undefined : state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
    await this.proxy[Symbol.asyncDispose]();
  }
}

/** What the server's program does with one session. */
interface Work {
  readonly down: Uint8Array<ArrayBuffer>;
  readonly hash: ReturnType<typeof createHash>;
  /** All bytes read and written so far. */
  moved: number;
}

async function readAll(conn: ResumableConn, work: Work): Promise<void> {
  const into = new Uint8Array(16 * 1024);
  for (;;) {
    const n = await conn.read(into);
    if (n === null) return;
    work.hash.update(into.subarray(0, n));
    work.moved = conn.bytesRead + conn.bytesWritten;
  }
}

async function writeAll(conn: ResumableConn, work: Work): Promise<void> {
  while (conn.bytesWritten < work.down.length) {
    const at = conn.bytesWritten;
    await conn.write(work.down.subarray(at, at + 16 * 1024));
    work.moved = conn.bytesRead + conn.bytesWritten;
  }
  await conn.closeWrite();
}

/** Serves one session to its end, through every change of the server. */
async function serve(place: Place, work: Work): Promise<void> {
  for (;;) {
    const conn = await place.server.accept();
    const ends = await Promise.allSettled([
      readAll(conn, work),
      writeAll(conn, work),
    ]);
    const failed = ends.find((end) => end.status === "rejected");
    if (failed === undefined) {
      conn.close();
      return await conn.closed;
    }
    if (failed.reason.code !== "resume/suspended") throw failed.reason;
    await place.moving;
  }
}

interface Course {
  readonly cuts: readonly CutSide[];
  /** After which of the cuts another server takes over. */
  readonly moves?: readonly number[];
  readonly options?: AcceptOptions;
  readonly args?: readonly string[];
}

// More than a handshake says: what is on its way then is stream.
const ON_ITS_WAY_BYTES = 4 * 1024;

/** Cuts at even distances, and each time only while bytes are on their way. */
async function cutAll(
  place: Place,
  work: Work,
  { cuts, moves = [] }: Course,
  every: number,
  ended: AbortSignal,
): Promise<number> {
  for (const [done, side] of cuts.entries()) {
    while (
      work.moved < every * (done + 1) ||
      place.proxy.heldUp < ON_ITS_WAY_BYTES || place.proxy.open === 0
    ) {
      if (ended.aborted) return done;
      await delay(1);
    }
    place.proxy.cut(side);
    if (moves.includes(done + 1)) void place.replace("with sessions");
  }
  return cuts.length;
}

/** Streams several MiB both ways; gives the client's report, checked. */
async function stream(course: Course): Promise<Report> {
  const { cuts, options, args = [] } = course;
  const up = 3 * MIB + 12_345;
  const down = new Uint8Array(2 * MIB + 54_321);
  for (let i = 0; i < down.length; i++) down[i] = (i * 31 + (i >>> 8)) & 0xff;
  await using place = await Place.open(options);
  const every = (up + down.length) / (cuts.length + 1);
  const work: Work = { down, hash: createHash("sha256"), moved: 0 };
  const ended = new AbortController();
  const cutting = cutAll(place, work, course, every, ended.signal);
  const [{ report }] = await Promise.all([
    place.client(
      ...["--send", String(up), "--heartbeat-ms", String(HEARTBEAT_MS)],
      ...["--window", String(MIB / 8), "--buffer", String(MIB / 8), ...args],
    ),
    deadline(serve(place, work), STALL_MS),
  ]).finally(() => ended.abort());
  assertEquals([report.error, await cutting], [null, cuts.length]);
  assertEquals([report.sent, report.received], [up, down.length]);
  assertEquals(report.sentSha256, work.hash.digest("hex"));
  const expected = createHash("sha256").update(down).digest("hex");
  assertEquals(report.receivedSha256, expected);
  return report;
}

testWith({
  name: "the Python client notices a test vector of which one bit is wrong",
  needs: ["python3"],
  async fn() {
    const vectors = JSON.parse(await Deno.readTextFile(VECTORS));
    const { nextSecret } = vectors.resumptions[1];
    const last = (parseInt(nextSecret.at(-1), 16) ^ 1).toString(16);
    vectors.resumptions[1].nextSecret = nextSecret.slice(0, -1) + last;
    const file = await Deno.makeTempFile({ suffix: ".json" });
    try {
      await Deno.writeTextFile(file, JSON.stringify(vectors));
      const { code, report } = await python("--check-vectors", file);
      assertEquals(code, 1);
      assertStringIncludes(report.error!, "nextSecret");
    } finally {
      await Deno.remove(file);
    }
  },
});

testWith({
  name: "cuts that only one side sees: the Python client finds the silent ones",
  needs: ["python3"],
  async fn() {
    const cuts: CutSide[] = [
      ...["both", "client", "server", "both", "client", "both"] as const,
      ...["client", "server", "both", "client", "both", "both"] as const,
    ];
    const report = await stream({ cuts });
    assert(report.cuts >= cuts.length && report.resumes >= cuts.length);
    // Nobody told it of the cuts that only the server saw.
    assert(report.silences >= 2 && report.pings >= 2, "silent cuts");
    assert(report.replayed > 0, "nothing was replayed: the cuts cut nothing");
    assertEquals(report.refusals, []);
  },
});

testWith({
  name:
    "a Python client with a key, through moves of the server, a used epoch and lost answers",
  needs: ["python3"],
  async fn() {
    const cuts = new Array<CutSide>(12).fill("both").fill("client", 4, 7);
    const report = await stream({
      cuts,
      moves: [3, 8],
      options: { presharedKey: keys },
      args: [
        ...["--key-id", "game", "--key", KEY.toHex()],
        // Of the tries in turn: a used epoch, RESUMED that is lost, CONFIRM
        // that is lost when the client has moved on to the next keys.
        ...["--mishaps", "stale,fine,answer,confirm,answer,confirm,confirm"],
      ],
    });
    assertEquals(report.refusals, [2]);
    assert(report.resumes > 0 && report.replayed > 0);
    assert(report.epoch > cuts.length);
  },
});

testWith({
  name: "a Python client with another key, or with none, gets nowhere",
  needs: ["python3"],
  async fn() {
    const refused: string[] = [];
    await using place = await Place.open({ presharedKey: keys });
    place.server.on("handshake-refused", ({ reason }) => refused.push(reason));
    const good = KEY.toHex();
    const wrong = new Uint8Array(32).fill(8).toHex();
    for (const [id, key] of [["game", wrong], ["other", good], ["", ""]]) {
      const { code, report } = await place.client(
        ...["--send", "10", "--key-id", id!, "--key", key!],
      );
      assertEquals([code, report.ok], [1, false]);
      assertEquals(report.error, "the server does not have the key");
    }
    while (refused.length < 3) await delay(5);
    assertEquals(place.server.sessions, 0);
  },
});

/** A client that is waited for in the middle of its stream. */
async function meet(
  place: Place,
  ...args: string[]
): Promise<{ readonly conn: ResumableConn; readonly end: Promise<Ended> }> {
  const end = place.client("--send", String(MIB), ...args);
  const conn = await deadline(place.server.accept(), STALL_MS);
  assertEquals(await conn.read(new Uint8Array(1)), 1);
  return { conn, end };
}

testWith({
  name: "a Python client takes each refusal for what it says",
  needs: ["python3"],
  async fn(t) {
    await t.step("denied: the program does not let it go on", async () => {
      await using place = await Place.open({
        authorize: ({ kind }) => kind === "open",
      });
      const { end } = await meet(place);
      place.proxy.cut();
      assertEquals((await end).report.refusals, [6]);
    });
    await t.step("unknown: a server without its sessions", async () => {
      await using place = await Place.open();
      const { end } = await meet(place);
      await place.replace("empty");
      place.proxy.cut();
      assertEquals((await end).report.refusals, [1]);
    });
    await t.step("gone: the session ended before it had all", async () => {
      await using place = await Place.open();
      const { conn, end } = await meet(place);
      place.proxy.cut();
      conn.abort();
      const { code, report } = await end;
      assertEquals([code, report.refusals], [1, [5]]);
    });
    await t.step("busy: no room for another session", async () => {
      await using place = await Place.open({ limits: { sessionsMax: 1 } });
      const { conn, end } = await meet(place);
      const { report } = await place.client("--send", "1");
      assertEquals(report.refusals, [3]);
      conn.abort();
      assertEquals((await end).report.error, "reset 2");
    });
  },
});

testWith({
  name: "a client whose last acknowledgement was lost is told that all arrived",
  needs: ["python3"],
  async fn() {
    await using place = await Place.open({
      ...{ receiveWindowBytes: 1024, heartbeatMs: 5_000 },
    });
    const end = place.client("--send", "4096", "--heartbeat-ms", "5000");
    const conn = await deadline(place.server.accept(), STALL_MS);
    await conn.closeWrite();
    // NEW, WELCOME, CONFIRM, the first window, its ACK, FIN, and the ACK of it.
    const all = 66 + 116 + 39 + (12 + 1024) + 20 + 12 + 20;
    while (place.proxy.bytes < all) await delay(5);
    await delay(50);
    const into = new Uint8Array(512);
    while (await conn.read(into) !== null);
    // The ACK of the client's FIN is written, and not through the proxy yet.
    place.proxy.cut();
    conn.abort();
    const { code, report } = await end;
    assertEquals([code, report.error, report.refusals], [0, null, [5]]);
    assertEquals([report.sent, report.cuts], [4096, 1]);
  },
});

testWith({
  name: "a Python client reads notices, and a reset by name",
  needs: ["python3"],
  async fn() {
    await using place = await Place.open();
    const { conn, end } = await meet(place, "--heartbeat-ms", "30");
    place.server.notify({ kind: "draining" });
    await delay(100); // idle: nothing but pings
    place.server.notify({ kind: "moved", to: "127.0.0.1:4000" });
    await delay(50);
    place.server.revoke(conn.sid);
    const { report } = await end;
    assertEquals(report.notices, [[1, ""], [2, "127.0.0.1:4000"]]);
    assertEquals(report.error, "reset 4");
    assert(report.pings >= 1 && report.pongs >= 1, "no sign of life");
  },
});
