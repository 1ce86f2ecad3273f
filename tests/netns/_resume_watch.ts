/**
 * A stream that follows the network watch, in a namespace where addresses come
 * and go. Heartbeats take a minute here: only the word of the watch can be why
 * the stream goes on.
 */
import { Emitter, relay } from "@holdfast/events/emitter";
import { type PathEvent, watchNetwork } from "@holdfast/netwatch";
import {
  acceptResumable,
  connectResumable,
  type ResumableConn,
} from "@holdfast/resume";
import { assertEquals } from "@std/assert";
import { deadline } from "@std/async";

const HEARTBEAT_MS = 60_000;
const SOON_MS = 20_000;
const [OLD, NEW] = ["10.77.0.2", "10.78.0.2"];

async function ip(line: string): Promise<void> {
  const { success } = await new Deno.Command("ip", { args: line.split(" ") })
    .output();
  if (!success) throw new Error(`ip ${line} failed`);
}

/** Both directions work, at this moment. */
async function talk(client: ResumableConn, server: ResumableConn) {
  const into = new Uint8Array(1);
  await client.write(new Uint8Array([1]));
  await deadline(server.read(into), SOON_MS);
  await server.write(new Uint8Array([2]));
  await deadline(client.read(into), SOON_MS);
}

const setup = [
  ...["link set lo up", "link add vA type veth peer name vB"],
  ...["link set vA up", "link set vB up", `addr add ${OLD}/24 dev vA`],
  "route add default via 10.77.0.1",
];
for (const line of setup) await ip(line);
const listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
const { port } = listener.addr;
await using server = acceptResumable(listener, { heartbeatMs: HEARTBEAT_MS });
await using watch = await watchNetwork();

/** 1: the watch's word on the very connection: its address is gone. */
{
  const news = new Emitter<PathEvent>();
  let to = OLD;
  const client = await connectResumable(async () => {
    const conn = await Deno.connect({ hostname: to, port });
    relay(watch.track(conn), news);
    return conn;
  }, { network: news, heartbeatMs: HEARTBEAT_MS });
  const accepted = await server.accept();
  await talk(client, accepted);
  const detached = client.once("detached");
  const resumed = client.once("resumed");
  await ip(`addr add ${NEW}/24 dev vA`);
  to = NEW;
  await ip(`addr del ${OLD}/24 dev vA`);
  assertEquals((await deadline(detached, SOON_MS)).reason, "path-lost");
  await deadline(resumed, SOON_MS);
  await talk(client, accepted);
  client.abort();
}

/** 2: the watch as it is: the way out is another, so the stream tries it. */
{
  await ip("route replace default via 10.78.0.1");
  await watch.refresh();
  const order: string[] = [];
  const client = await connectResumable(async () => {
    const conn = await Deno.connect({ hostname: NEW, port });
    order.push("connected");
    return conn;
  }, { network: watch, heartbeatMs: HEARTBEAT_MS });
  client.on("detached", () => order.push("detached"));
  const accepted = await server.accept();
  await talk(client, accepted);
  const resumed = client.once("resumed");
  await ip("route replace default via 10.78.0.9");
  await deadline(resumed, SOON_MS);
  await talk(client, accepted);
  // The old transport carried the stream until the new one was there.
  assertEquals(order.slice(0, 2), ["connected", "connected"]);
  client.abort();
}
Deno.exit(0);
