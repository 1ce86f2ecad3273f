import { assertEquals } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import { acceptResumable, connectResumable, type Transport } from "./mod.ts";
import { tcp } from "./testdata/legs.ts";

/** The same transport with a full buffer below: each write takes a while. */
function slow(transport: Transport, ms: number): Transport {
  return {
    localAddr: transport.localAddr,
    remoteAddr: transport.remoteAddr,
    read: (into) => transport.read(into),
    write: async (bytes) => {
      await delay(ms);
      return await transport.write(bytes);
    },
    close: () => transport.close(),
  };
}

Deno.test("who reads to the end and closes has acknowledged it, whatever else was on its way (I15)", async () => {
  const { source, place } = tcp.listen("");
  await using server = acceptResumable(source);
  const client = await connectResumable(async ({ signal }) =>
    slow(await tcp.dial(place, signal), 5)
  );
  const served = await server.accept();
  const ends: string[] = [];
  served.on("detached", ({ reason }) => ends.push(reason));
  served.on("lost", ({ code }) => ends.push(code));
  await client.closeWrite();
  await delay(60); // its acknowledgement: what the client says is all said
  await served.write(new Uint8Array(9));
  await served.closeWrite();
  const into = new Uint8Array(16);
  while (await client.read(into) !== null);
  assertEquals(await served.read(into), null);
  client.close();
  served.close();
  await deadline(Promise.all([client.closed, served.closed]), 3_000);
  await delay(10); // a write that is still held back
  assertEquals([ends, served.state.name], [[], "closed"]);
});
