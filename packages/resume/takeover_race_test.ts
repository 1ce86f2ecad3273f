/** Resumptions of one session that meet in a slow store. */
import { assertEquals } from "@std/assert";
import { deadline, delay } from "@std/async";
import {
  type Granted,
  openSession,
  resumeSession,
  type Resumption,
} from "./_handshake_client.ts";
import { HandshakeIo } from "./_handshake_io.ts";
import { acceptResumable } from "./mod.ts";
import { memoryStore, type SessionStore } from "./store.ts";

const STALL_MS = 20_000;
const TOLD = { received: 0, limit: 1000 };

/** A store whose claims of one epoch are answered late. */
class LateStore {
  readonly store: SessionStore;
  readonly claimed = Promise.withResolvers<void>();
  readonly release = Promise.withResolvers<void>();

  constructor(inner: SessionStore, epoch: number) {
    this.store = {
      create: (session) => inner.create(session),
      find: (sid) => inner.find(sid),
      commit: (changes) => inner.commit(changes),
      claim: async (claim) => {
        const session = await inner.claim(claim);
        if (claim.to === epoch) {
          this.claimed.resolve();
          await this.release.promise;
        }
        return session;
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
}

function serve(store: SessionStore) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const dial = () =>
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  return { server: acceptResumable(listener, { store }), dial };
}

/** Resumes on a transport of its own; `undefined` if it was turned away. */
async function resume(
  conn: Deno.Conn,
  session: Pick<Granted, "sid" | "secret">,
  epoch: number,
  proves = true,
): Promise<Resumption | undefined> {
  const io = new HandshakeIo(conn);
  const send = io.send.bind(io);
  if (!proves) {
    io.send = (bytes) => bytes[4] === 6 ? Promise.resolve() : send(bytes);
  }
  try {
    return await resumeSession(io, session, epoch, TOLD);
  } catch {
    return undefined;
  }
}

Deno.test("a resumption that comes late takes nothing from the one that overtook it (I5, I11)", async () => {
  const late = new LateStore(memoryStore(), 2);
  const { server, dial } = serve(late.store);
  await using _server = server;
  using first = await dial();
  const session = await openSession(new HandshakeIo(first), 1000, undefined);
  await server.accept();

  using second = await dial();
  const slow = resume(second, session, 2);
  await late.claimed.promise;
  using third = await dial();
  const overtakes = resume(third, session, 3, false);
  await Promise.race([overtakes, delay(100)]);
  late.release.resolve();
  await slow;
  const { secret } = (await deadline(overtakes, STALL_MS))!;
  // Its proof was lost: it comes back with what it moved on to.
  using fourth = await dial();
  const last = await deadline(
    resume(fourth, { ...session, secret }, 4),
    STALL_MS,
  );
  assertEquals(last !== undefined, true, "it was locked out");
});

Deno.test("two that resume a stored session at once get one connection between them (I5, I8)", async () => {
  const store = memoryStore();
  const before = serve(store);
  using first = await before.dial();
  const session = await openSession(new HandshakeIo(first), 1000, undefined);
  await before.server.accept();

  const late = new LateStore(store, 2);
  const { server, dial } = serve(late.store);
  await using _server = server;
  const sids: string[] = [];
  const ended: string[] = [];
  server.on("session-ended", ({ reason }) => ended.push(reason));
  void (async () => {
    for await (const conn of server) sids.push(conn.sid);
  })();
  using second = await dial();
  const slow = resume(second, session, 2);
  await late.claimed.promise;
  using third = await dial();
  const overtakes = resume(third, session, 3);
  await Promise.race([overtakes, delay(100)]);
  late.release.resolve();
  await slow;
  await deadline(overtakes, STALL_MS);
  using fourth = await dial();
  const { secret } = (await overtakes) ?? session;
  assertEquals(
    await resume(fourth, { ...session, secret }, 4) !== undefined,
    true,
  );
  assertEquals([sids, ended], [[session.sid.toHex()], []]);
  await before.server.close();
});
