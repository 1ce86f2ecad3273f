/** A program with one connection that it does not wait for, whose path is gone. */
import { acceptResumable, connectResumable } from "../mod.ts";

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
const server = acceptResumable(listener);
const { port } = listener.addr;
let last: Deno.Conn | undefined;
const client = await connectResumable(async ({ attempt }) => {
  if (attempt > 0) throw new Error("no way there");
  return last = await Deno.connect({ hostname: "127.0.0.1", port });
}, { redialMaxMs: 600_000 });
client.unref();
await server.accept();
last!.close();
for (let i = 0; i < 3; i++) await client.once("redial-failed");
// With the server all ends but the client, which tries on for two minutes.
await server.close();
