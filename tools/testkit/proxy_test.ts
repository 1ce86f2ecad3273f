import { assertEquals } from "@std/assert";
import { CutProxy } from "./proxy.ts";

async function readAll(conn: Deno.Conn): Promise<number> {
  const into = new Uint8Array(64 * 1024);
  let total = 0;
  for (let n; (n = await conn.read(into)) !== null;) total += n;
  return total;
}

Deno.test("a proxy that holds bytes back ends each direction after its last byte", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using proxy = await CutProxy.start({ delayMs: 5 });
  proxy.forward("127.0.0.1", listener.addr.port);
  const [server, client] = await Promise.all([
    listener.accept(),
    Deno.connect({ hostname: "127.0.0.1", port: proxy.port }),
  ]);
  await client.write(new Uint8Array(1000));
  await client.closeWrite();
  assertEquals(await readAll(server), 1000);
  // The other direction is open still.
  await server.write(new Uint8Array(2000));
  await server.closeWrite();
  assertEquals(await readAll(client), 2000);
  client.close();
  server.close();
  listener.close();
});
