/** Sessions that a client takes for open, and its server does not yet. */
import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { openSession, resumeSession } from "./_handshake_client.ts";
import { HandshakeIo } from "./_handshake_io.ts";
import { acceptResumable, connectResumable } from "./mod.ts";

const STALL_MS = 20_000;
const CONFIRM = 6;
const TOLD = { received: 0, limit: 1000 };

function listen() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dial = () =>
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  return { listener, dial };
}

/** Opens a session whose last proof does not arrive. */
function openHalf(conn: Deno.Conn) {
  const io = new HandshakeIo(conn);
  const send = io.send.bind(io);
  io.send = (bytes) => bytes[4] === CONFIRM ? Promise.resolve() : send(bytes);
  return openSession(io, 1000, undefined);
}

Deno.test("a session whose client was welcomed goes on at the server's successor (I11)", async () => {
  const { listener, dial } = listen();
  const first = acceptResumable(listener);
  using conn = await dial();
  const session = await openHalf(conn);
  const snapshot = await first.suspend();

  const { listener: next, dial: dialNext } = listen();
  await using server = acceptResumable(next, { restore: snapshot });
  // Nobody is told of it before its client proved itself.
  assertEquals(server.sessions, 0);
  using again = await dialNext();
  await deadline(
    resumeSession(new HandshakeIo(again), session, 2, TOLD),
    STALL_MS,
  );
  const accepted = await deadline(server.accept(), STALL_MS);
  assertEquals(accepted.sid, session.sid.toHex());
  await first.close();
  listener.close();
});

Deno.test("a flood of openings does not take the place of one that is under way (I21)", async () => {
  const { listener, dial } = listen();
  await using server = acceptResumable(listener, {
    handshakeTimeoutMs: 60_000,
  });
  const release = Promise.withResolvers<void>();
  let held = false;
  const connecting = connectResumable(async () => {
    const conn = await dial();
    const write = conn.write.bind(conn);
    conn.write = async (bytes) => {
      if (bytes[4] === CONFIRM) {
        held = true;
        await release.promise;
      }
      return write(bytes);
    };
    return conn;
  });
  while (!held) await new Promise((resolve) => setTimeout(resolve, 1));
  for (let i = 0; i < 1_040; i += 40) {
    await Promise.all(Array.from({ length: 40 }, async () => {
      using conn = await dial();
      await openHalf(conn);
    }));
  }
  release.resolve();
  const client = await deadline(connecting, STALL_MS);
  const accepted = await deadline(server.accept(), STALL_MS);
  assert(accepted.sid === client.sid);
  client.abort();
});
