import { assert } from "@std/assert";
import { acceptResumable, connectResumable } from "./mod.ts";
import { readPattern, writePattern } from "./testdata/pair.ts";

const HEADER_BYTES = 7;
const RESUMED = 4;
const OTHERS = 3;
const CUTS = 6;

/** The kind of the record that a transport is answered with; 0 for none. */
async function kindHeard(
  conn: Deno.Conn,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<number> {
  const heard = new Uint8Array(512);
  try {
    await conn.write(bytes);
    await conn.read(heard);
  } catch {
    // It was reset: no answer.
  } finally {
    conn.close();
  }
  return heard[4]!;
}

/** The epoch in a RESUME: after the versions and the id of the session. */
function epochOf(resume: Uint8Array): number {
  return new DataView(resume.buffer).getUint32(HEADER_BYTES + 2 + 16 + 4);
}

Deno.test("of many transports with one epoch a single one is ever granted (I7, I8)", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using server = acceptResumable(listener, { handshakeTimeoutMs: 300 });
  const dial = () =>
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  let last: Deno.Conn | undefined;
  let doubled: Promise<number[]> | undefined;
  let epoch = 1;
  const client = await connectResumable(async ({ attempt }) => {
    const conn = last = await dial();
    if (attempt !== 1) return conn;
    // What the client says first comes over other transports too, at once.
    const others = await Promise.all(Array.from({ length: OTHERS }, dial));
    const write = conn.write.bind(conn);
    conn.write = (bytes) => {
      conn.write = write;
      const copy = bytes.slice();
      epoch = epochOf(copy);
      doubled = Promise.all(others.map((other) => kindHeard(other, copy)));
      return write(bytes);
    };
    return conn;
  }, { redialMaxMs: 50 });
  const accepted = await server.accept();
  let granted = 1;
  accepted.on("resumed", (event) => granted = event.epoch);
  for (let i = 0; i < CUTS; i++) {
    const before = granted;
    const resumed = client.once("resumed");
    last!.close();
    await resumed;
    const from = i * 100_000;
    await Promise.all([
      writePattern(client, 1, from, from + 100_000),
      readPattern(accepted, 1, from, from + 100_000),
    ]);
    const kinds = await doubled!;
    const others = kinds.filter((kind) => kind === RESUMED).length;
    assert(others <= 1, `${others} were granted epoch ${epoch}`);
    // Where one of the others had it, the client came back with a later one.
    if (others === 1) assert(granted > epoch);
    assert(granted > before && granted >= epoch);
  }
  client.abort();
});
