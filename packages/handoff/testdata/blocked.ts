/**
 * Run by spawn_test.ts: passes a listener on while it accepts itself, then
 * shows that its event loop still turns when nobody connects. With the
 * listener left blocking it hangs in accept4, timers and all.
 */
import { listen, spawnWithSockets } from "../mod.ts";

using listener = await listen({ port: 0 });
const accepting = listener.accept();
await using _child = await spawnWithSockets("sleep", { web: listener }, {
  args: ["10"],
  stdout: "null",
});
// A first connection makes the acceptor ask the kernel for a second one.
const client = await Deno.connect({
  hostname: "127.0.0.1",
  port: listener.addr.port,
});
(await accepting).close();
client.close();
for (let tick = 0; tick < 10; tick++) {
  await new Promise((resolve) => setTimeout(resolve, 5));
}
await Deno.stdout.write(new TextEncoder().encode("turning\n"));
