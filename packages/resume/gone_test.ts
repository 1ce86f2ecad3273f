/** Sessions that their server ended while the client was away. */
import { assertEquals, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import { acceptResumable, connectResumable, ResumeError } from "./mod.ts";

const STALL_MS = 20_000;

/** A client whose transports can be taken away, and given back. */
async function openFragile() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const server = acceptResumable(listener);
  let last: Deno.TcpConn | undefined;
  let away = false;
  const client = await connectResumable(async () => {
    if (away) throw new Error("no way there");
    const { port } = listener.addr;
    return last = await Deno.connect({ hostname: "127.0.0.1", port });
  }, { redialMaxMs: 50 });
  const accepted = await server.accept();
  return {
    client,
    accepted,
    server,
    leave: async () => {
      away = true;
      const detached = accepted.once("detached");
      last!.close();
      await detached;
    },
    back: () => void (away = false),
    [Symbol.asyncDispose]: () => {
      client.abort();
      return server.close();
    },
  };
}

Deno.test("a client that has said all, and waits for an answer that never comes, is told so (I16, I17)", async () => {
  await using ends = await openFragile();
  const { client, accepted } = ends;
  await client.write(Uint8Array.of(1, 2, 3));
  await client.closeWrite();
  const into = new Uint8Array(8);
  assertEquals(await accepted.read(into), 3);
  assertEquals(await accepted.read(into), null);
  const waiting = assertRejects(() => client.read(into), ResumeError);
  await ends.leave();
  accepted.abort();
  ends.back();
  const error = await deadline(waiting, STALL_MS);
  assertEquals(error.code, "resume/gone");
  assertEquals(error.lastAckedOffset, 3);
  await assertRejects(() => client.read(into), ResumeError);
});

Deno.test("what the server had received when it ended the session is told (I17)", async () => {
  await using ends = await openFragile();
  const { client, accepted } = ends;
  await client.write(new Uint8Array(5));
  assertEquals(await accepted.read(new Uint8Array(8)), 5);
  // Most often before the acknowledgement, which waits 25 ms for more.
  await ends.leave();
  await client.write(new Uint8Array(5));
  const lost = client.once("lost");
  accepted.abort();
  ends.back();
  const { code, lastAckedOffset } = await deadline(lost, STALL_MS);
  assertEquals([code, lastAckedOffset], ["resume/gone", 5]);
});

Deno.test("a client that closed, and whose server has all, is done (I15)", async () => {
  await using ends = await openFragile();
  const { client, accepted } = ends;
  await client.write(Uint8Array.of(1));
  await client.closeWrite();
  const into = new Uint8Array(8);
  await accepted.read(into);
  assertEquals(await accepted.read(into), null);
  await ends.leave();
  client.close();
  accepted.abort();
  ends.back();
  await deadline(client.closed, STALL_MS);
  assertEquals(client.state.name, "closed");
});
