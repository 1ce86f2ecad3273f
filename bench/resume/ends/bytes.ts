/** What an end that carries bytes can do. The same code serves every peer. */
import type { ResumableConn } from "@holdfast/resume";
import { type ByteConn, type ByteListener, byteSide } from "./byte_sides.ts";
import { CheckedStream } from "./checked_stream.ts";
import { type HeapUse, heapUse } from "./heap.ts";
import type { Handlers } from "./main.ts";

const READ_BYTES = 64 * 1024;
const PING_BYTES = 64;

async function writeAll(conn: ByteConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await conn.write(at === 0 ? bytes : bytes.subarray(at));
  }
}

async function readExactly(conn: ByteConn, into: Uint8Array): Promise<void> {
  for (let at = 0; at < into.length;) {
    const n = await conn.read(at === 0 ? into : into.subarray(at));
    if (n === null) throw new Error("the peer hung up");
    at += n;
  }
}

/** Reads this many bytes, and confirms that it has. */
async function takeIn(conn: ByteConn, bytes: number): Promise<void> {
  const into = new Uint8Array(READ_BYTES);
  for (let got = 0; got < bytes;) {
    const n = await conn.read(into);
    if (n === null) throw new Error(`the end after ${got} of ${bytes} bytes`);
    got += n;
  }
  await writeAll(conn, new Uint8Array(1));
}

/** Milliseconds from the first write until the receiver confirms the last. */
async function putOut(
  conn: ByteConn,
  bytes: number,
  size: number,
): Promise<number> {
  const chunk = crypto.getRandomValues(new Uint8Array(size));
  const start = performance.now();
  for (let sent = 0; sent < bytes;) {
    const left = bytes - sent;
    sent += await conn.write(left < size ? chunk.subarray(0, left) : chunk);
  }
  await readExactly(conn, new Uint8Array(1));
  return performance.now() - start;
}

/** Waits until the peer hangs up, and does so too. */
async function end(conn: ByteConn): Promise<void> {
  while (await conn.read(new Uint8Array(1)) !== null);
  conn.close();
}

async function echo(conn: ByteConn): Promise<void> {
  const bytes = new Uint8Array(PING_BYTES);
  for (;;) {
    const n = await conn.read(bytes);
    if (n === null) return conn.close();
    await writeAll(conn, bytes.subarray(0, n));
  }
}

/** Microseconds of each round trip. */
async function pingPong(conn: ByteConn, trips: number): Promise<Float64Array> {
  const bytes = new Uint8Array(PING_BYTES);
  const times = new Float64Array(trips);
  for (let i = 0; i < trips; i++) {
    const start = performance.now();
    await writeAll(conn, bytes);
    await readExactly(conn, bytes);
    times[i] = (performance.now() - start) * 1000;
  }
  conn.close();
  return times.sort();
}

/** What a cut costs, in milliseconds from when the client noticed it. */
export interface Pause {
  /** Until a new transport carried the stream. */
  readonly resumedMs: number;
  /** Until what was written while there was none came back from the server. */
  readonly echoedMs: number;
}

/** Waits for the next cut, and through it. */
async function pause(conn: ResumableConn): Promise<Pause> {
  let cut = 0;
  let resumed = 0;
  const detached = conn.once("detached");
  using _cut = conn.on("detached", () => cut ||= performance.now());
  using _resumed = conn.on("resumed", () => resumed = performance.now());
  await detached;
  const bytes = new Uint8Array(PING_BYTES);
  await writeAll(conn, bytes);
  await readExactly(conn, bytes);
  return { resumedMs: resumed - cut, echoedMs: performance.now() - cut };
}

/** See the module's comment. */
export function handlers(name: string): Handlers {
  const side = byteSide(name);
  let listener: ByteListener;
  let conn: ByteConn;
  let checked: CheckedStream;
  return {
    listen({ noDelay }: { noDelay: boolean }): number {
      listener = side.listen(noDelay);
      return listener.port;
    },
    async receive({ bytes }: { bytes: number }): Promise<void> {
      const conn = await listener.accept();
      await takeIn(conn, bytes);
      await end(conn);
    },
    async send(
      { port, bytes, size }: { port: number; bytes: number; size: number },
    ): Promise<number> {
      const conn = await side.connect(port, false);
      const ms = await putOut(conn, bytes, size);
      conn.close();
      return ms;
    },
    echo: async () => await echo(await listener.accept()),
    async pingPong(
      { port, trips }: { port: number; trips: number },
    ): Promise<{ p50: number; p99: number }> {
      const times = await pingPong(await side.connect(port, true), trips);
      return { p50: times[trips >> 1]!, p99: times[Math.floor(trips * 0.99)]! };
    },
    async open({ port }: { port: number }): Promise<void> {
      conn = await side.connect(port, true);
    },
    async roundTrip(): Promise<number> {
      const start = performance.now();
      await writeAll(conn, new Uint8Array(PING_BYTES));
      await readExactly(conn, new Uint8Array(PING_BYTES));
      return performance.now() - start;
    },
    pause: () => pause(conn as ResumableConn),
    async take(): Promise<void> {
      conn = await listener.accept();
    },
    carryIn: ({ bytes }: { bytes: number }) => takeIn(conn, bytes),
    carryOut: ({ bytes, size }: { bytes: number; size: number }) =>
      putOut(conn, bytes, size),
    startChecked(): void {
      checked = new CheckedStream(conn as ResumableConn);
    },
    stopWriting: () => checked.stopWriting(),
    report: () => checked.report(),
    heap: (): Promise<HeapUse> => heapUse(),
  };
}
