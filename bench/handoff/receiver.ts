/** The receiving process of bench/handoff.ts: closes what it gets. */
import { receiveSockets } from "@holdfast/handoff";

const receiver = receiveSockets(Deno.args[0]!, { waitingMax: 100_000 });
await Deno.stdout.write(new TextEncoder().encode("listening\n"));

for await (const socket of receiver) socket.close();
