/** A connection under full traffic that is given away in the middle of it. */
import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Detachable, DetachOptions } from "../detach.ts";

const HOST = "127.0.0.1";
const data = randomBytes(1 << 20);

/** What came of one connection. */
export interface Exact {
  readonly sent: number;
  /** Bytes that came back and bytes that this process read itself. */
  readonly back: number;
  readonly same: boolean;
}

/** The kinds of connections that are given away. */
export const GIVEN = ["deno-accepted", "deno-connected", "node"] as const;

/**
 * Makes a connection, writes `bytes` to it from the other end at full speed,
 * reads some of them here, starts a read and gives the connection away while
 * it may be pending. The new owner echoes; what this process read and what
 * comes back must be what was written, in order.
 */
export async function giveUnderTraffic(
  kind: typeof GIVEN[number],
  bytes: number,
  give: (conn: Detachable, options: DetachOptions) => Promise<void>,
): Promise<Exact> {
  const { conn, peer } = await pair(kind);
  const at = Math.floor(Math.random() * (data.length - bytes));
  const payload = data.subarray(at, at + bytes);
  const writing = (async () => {
    let done = 0;
    while (done < bytes) done += await peer.write(payload.subarray(done));
    await peer.closeWrite();
  })();
  const got = createHash("sha256");
  let count = await readSome(conn, Math.floor(Math.random() * bytes / 2), got);
  const pending = startRead(conn);
  if (Math.random() < 0.5) {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
  }
  const echoed = (async () => {
    const buffer = new Uint8Array(65_536);
    for (let n; (n = await peer.read(buffer)) !== null;) {
      got.update(buffer.subarray(0, n));
      count += n;
    }
  })();
  await give(conn, pending === undefined ? {} : { pendingRead: pending });
  await Promise.all([writing, echoed]);
  peer.close();
  const right = createHash("sha256").update(payload).digest("hex");
  return { sent: bytes, back: count, same: got.digest("hex") === right };
}

async function pair(
  kind: typeof GIVEN[number],
): Promise<{ conn: Detachable; peer: Deno.TcpConn }> {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  const { port } = listener.addr;
  if (kind === "node") {
    const conn = connect({ port, host: HOST, allowHalfOpen: true });
    const [peer] = await Promise.all([
      listener.accept(),
      new Promise((resolve) => conn.once("connect", resolve)),
    ]);
    return { conn, peer };
  }
  const [one, two] = await Promise.all([
    Deno.connect({ hostname: HOST, port }),
    listener.accept(),
  ]);
  return kind === "deno-accepted"
    ? { conn: two, peer: one }
    : { conn: one, peer: two };
}

async function readSome(
  conn: Detachable,
  bytes: number,
  hash: ReturnType<typeof createHash>,
): Promise<number> {
  const take = (chunk: Uint8Array): number => {
    hash.update(chunk);
    return chunk.byteLength;
  };
  let count = 0;
  if ("destroy" in conn) {
    const socket = conn as Socket;
    while (count < bytes) {
      const chunk: Uint8Array | null = socket.read();
      if (chunk !== null) count += take(chunk);
      else await new Promise((resolve) => socket.once("readable", resolve));
    }
    return count;
  }
  const buffer = new Uint8Array(16_384);
  while (count < bytes) {
    const n = await (conn as Deno.Conn).read(buffer);
    if (n === null) break;
    count += take(buffer.subarray(0, n));
  }
  return count;
}

function startRead(conn: Detachable): Promise<Uint8Array | null> | undefined {
  if ("destroy" in conn) {
    (conn as Socket).once("readable", () => {});
    return undefined;
  }
  const buffer = new Uint8Array(65_536);
  const read = (conn as Deno.Conn).read(buffer)
    .then((n) => n === null ? null : buffer.subarray(0, n));
  read.catch(() => {}); // Interrupted by detach, having taken nothing.
  return read;
}
