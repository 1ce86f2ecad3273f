/** Clients that hold good proofs and mean harm. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import { openSession, resumeSession } from "./_handshake_client.ts";
import { HandshakeIo } from "./_handshake_io.ts";
import { FRAME, RESET } from "./_wire.ts";
import { acceptResumable, connectResumable, type ResumeError } from "./mod.ts";

const STALL_MS = 20_000;

function listen() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dial = () =>
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  return { listener, dial };
}

/** All that comes until the end. */
async function heard(conn: Deno.Conn): Promise<Uint8Array<ArrayBuffer>> {
  const bytes: number[] = [];
  const into = new Uint8Array(1024);
  for (let n; (n = await conn.read(into)) !== null;) {
    bytes.push(...into.subarray(0, n));
  }
  return Uint8Array.from(bytes);
}

Deno.test("who claims to have what was never sent is told so, and let go of", async () => {
  const { listener, dial } = listen();
  await using server = acceptResumable(listener);
  const first = await dial();
  const session = await openSession(new HandshakeIo(first), 1000, undefined);
  const accepted = await server.accept();
  first.close();

  const second = await dial();
  const claims = { received: 1_000_000, limit: 2_000_000 };
  await resumeSession(new HandshakeIo(second), session, 2, claims);
  const bytes = await deadline(heard(second), STALL_MS);
  assertEquals([bytes[0], bytes.at(-1)], [FRAME.reset, RESET.protocol]);
  second.close();
  const error = await assertRejects(() => accepted.read(new Uint8Array(1)));
  assert((error as { code?: string }).code === "resume/protocol");
});

Deno.test("a name of a key that the server has no key for proves nothing", async () => {
  const { listener, dial } = listen();
  const asked: string[] = [];
  await using _server = acceptResumable(listener, {
    authorize: ({ keyId }) => {
      asked.push(new TextDecoder().decode(keyId));
      return true;
    },
  });
  const id = new TextEncoder().encode("admin");
  // Zeros are what both ends mix in where there is no key.
  for (const key of [new Uint8Array(16), new Uint8Array(32)]) {
    const error = await assertRejects(
      () => connectResumable(dial, { presharedKey: { id, key } }),
    );
    assertEquals((error as ResumeError).code, "resume/refused");
  }
  assertEquals(asked, []);
});

Deno.test("a key that is no key, or a name that is too long, is told where it is given", async () => {
  const { listener, dial } = listen();
  let key: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  await using server = acceptResumable(listener, { presharedKey: () => key });
  const id = new TextEncoder().encode("k");
  const wrong = [
    { id, key: new Uint8Array(15) },
    { id: new Uint8Array(256), key: new Uint8Array(32) },
  ];
  for (const presharedKey of wrong) {
    const error = await assertRejects(
      () => connectResumable(dial, { presharedKey }),
      RangeError,
    );
    assert(error.message.startsWith("Cannot use presharedKey: "));
  }
  // An empty key at the server would let in everybody without one.
  const refused = server.once("handshake-refused");
  await assertRejects(() => connectResumable(dial));
  assert((await refused).reason.startsWith("Cannot use presharedKey: "));
  key = crypto.getRandomValues(new Uint8Array(16));
  const client = await connectResumable(dial, { presharedKey: { id, key } });
  client.abort();
});
