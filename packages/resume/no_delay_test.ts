import { assertEquals } from "@std/assert";
import { acceptResumable, connectResumable } from "./mod.ts";
import { tcp } from "./testdata/legs.ts";

/** Notes what is asked of Nagle's algorithm, and does it. */
function noting(conn: Deno.TcpConn, asked: boolean[]): Deno.TcpConn {
  const set = conn.setNoDelay.bind(conn);
  conn.setNoDelay = (noDelay) => {
    asked.push(noDelay ?? true);
    set(noDelay);
  };
  return conn;
}

Deno.test("both ends send small writes at once: none waits for TCP's delayed acknowledgement", async () => {
  const asked: boolean[][] = [[], []];
  const { source, place } = tcp.listen("");
  await using server = acceptResumable({
    accept: async () =>
      noting(await source.accept() as Deno.TcpConn, asked[0]!),
    close: () => source.close(),
  });
  const client = await connectResumable(async ({ signal }) =>
    noting(await tcp.dial(place, signal) as Deno.TcpConn, asked[1]!)
  );
  const served = await server.accept();
  assertEquals(asked, [[true], [true]]);
  client.abort();
  served.abort();
});
