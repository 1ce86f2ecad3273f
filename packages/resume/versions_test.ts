import { assertEquals } from "@std/assert";
import { acceptResumable, connectResumable } from "./mod.ts";
import { join, tap, type Tape } from "./testdata/tap.ts";

const HEADER_BYTES = 7;
const [VERSION_MIN_AT, VERSION_MAX_AT] = [HEADER_BYTES, HEADER_BYTES + 1];
const [WELCOME, REFUSED] = [3, 5];
const VERSION_REFUSED = 4;

/** What a NEW of somebody else's client is answered with: kind, first byte. */
async function answerTo(
  dial: () => Promise<Deno.Conn>,
  opening: Uint8Array<ArrayBuffer>,
): Promise<[number, number]> {
  using conn = await dial();
  await conn.write(opening);
  const heard = new Uint8Array(512);
  await conn.read(heard);
  return [heard[4]!, heard[HEADER_BYTES]!];
}

Deno.test("ends of different versions agree on one that both speak, or part at once (I22)", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using _server = acceptResumable(listener);
  const dial = () =>
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  const tape: Tape = { said: [], heard: [] };
  const client = await connectResumable(async () => tap(await dial(), tape));
  const opening = tape.said[0]!;
  const speaks = (min: number, max: number) => {
    const changed = opening.slice();
    changed[VERSION_MIN_AT] = min;
    changed[VERSION_MAX_AT] = max;
    return changed;
  };
  assertEquals(await answerTo(dial, speaks(1, 1)), [WELCOME, 1]);
  assertEquals(await answerTo(dial, speaks(1, 9)), [WELCOME, 1]);
  assertEquals(await answerTo(dial, speaks(0, 1)), [WELCOME, 1]);
  const parted: [number, number] = [REFUSED, VERSION_REFUSED];
  assertEquals(await answerTo(dial, speaks(2, 9)), parted);
  assertEquals(await answerTo(dial, speaks(0, 0)), parted);
  client.abort();
});

Deno.test("who changes the versions on the way is found out, and no session opens (I22)", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using server = acceptResumable(listener);
  const refused: string[] = [];
  server.on("handshake-refused", ({ reason }) => refused.push(reason));
  const tape: Tape = { said: [], heard: [] };
  let first = true;
  const opening = connectResumable(async () => {
    const conn = await Deno.connect({
      hostname: "127.0.0.1",
      port: listener.addr.port,
    });
    const write = conn.write.bind(conn);
    conn.write = (bytes) => {
      if (!first) return write(bytes);
      first = false;
      const changed = bytes.slice();
      changed[VERSION_MAX_AT] = 7;
      return write(changed);
    };
    return tap(conn, tape);
  }).then((client) => client.abort(), ({ code }) => code);
  assertEquals(await opening, "resume/refused");
  assertEquals(join(tape.heard)[4], WELCOME);
  assertEquals(server.sessions, 0);
});
