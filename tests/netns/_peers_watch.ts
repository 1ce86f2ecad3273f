/**
 * Two peers and their brokers in a namespace where addresses and brokers come
 * and go. Heartbeats take a minute, and brokers that fail are left alone for
 * longer and longer: only the word of the network watch can be why streams and
 * signalling go on when they do.
 */
import { openPeer } from "@holdfast/holdfast";
import { watchNetwork } from "@holdfast/netwatch";
import type { ResumableConn } from "@holdfast/resume";
import { createIdentity, openSignalling } from "@holdfast/signal";
import { assert, assertEquals } from "@std/assert";
import { deadline, delay } from "@std/async";
import { startBroker } from "../../tools/broker/spawn.ts";

const SOON_MS = 20_000;
const HEARTBEAT_MS = 60_000;

async function run(command: string, line: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, {
    args: line.split(" "),
    stdout: "null",
    stderr: "piped",
  }).output();
  if (success) return;
  throw new Error(`${command} ${line}: ${new TextDecoder().decode(stderr)}`);
}
const ip = (line: string) => run("ip", line);

async function talk(a: ResumableConn, b: ResumableConn): Promise<void> {
  for (const [from, to] of [[a, b], [b, a]] as const) {
    await from.write(Uint8Array.of(7));
    const into = new Uint8Array(1);
    await deadline(to.read(into), SOON_MS);
    assertEquals(into[0], 7);
  }
}

for (
  const line of [
    ...["link set lo up", "link add vA type veth peer name vB"],
    ...["link set vA up", "link set vB up", "addr add 10.77.0.2/24 dev vA"],
    ...["addr add 10.78.0.1/24 dev vB", "route add default via 10.77.0.1"],
  ]
) await ip(line);
const [first, second] = await Promise.all([startBroker(), startBroker()]);
const brokers = [first, second].map(({ url }) => url);

/** 1: a stream of two peers leaves the address that went, at once. */
{
  await using watch = await watchNetwork();
  const common = {
    brokers,
    network: watch,
    stream: { heartbeatMs: HEARTBEAT_MS },
  };
  await using server = await openPeer({
    ...common,
    identity: await createIdentity(),
    listen: { hostname: "10.78.0.1", port: 0 },
  });
  await using client = await openPeer({
    ...common,
    identity: await createIdentity(),
    localAddress: "10.77.0.2",
  });
  const [conn, accepted] = await Promise.all([
    client.connect(server.id),
    server.accept(),
  ]);
  await talk(conn, accepted.conn);
  const detached = conn.once("detached");
  const resumed = conn.once("resumed");
  await ip("addr add 10.80.0.3/24 dev vA");
  await ip("addr del 10.77.0.2/24 dev vA");
  assertEquals((await deadline(detached, SOON_MS)).reason, "path-lost");
  client.moveTo("10.80.0.3");
  await deadline(resumed, SOON_MS);
  await talk(conn, accepted.conn);
  conn.abort();
}

/**
 * 1b: a peer that can be reached elsewhere tells the others, and a connection
 * that lives is left only for one that stands; nobody is asked at a run while
 * the own address cannot be used.
 */
{
  const stream = { heartbeatMs: HEARTBEAT_MS, redialMaxMs: 50 };
  const open = async (more: object) =>
    await openPeer({
      ...{ identity: await createIdentity(), brokers, stream },
      ...more,
    });
  await using server = await open({ listen: { hostname: "0.0.0.0", port: 0 } });
  await using client = await open({});
  const [conn, accepted] = await Promise.all([
    client.connect(server.id),
    server.accept(),
  ]);
  await talk(conn, accepted.conn);
  const detached = conn.once("detached");
  const resumed = conn.once("resumed");
  const located = client.once("peer-located");
  await ip("addr add 10.79.0.9/24 dev vB");
  assertEquals((await deadline(located, SOON_MS)).reason, "moved");
  // Whichever end hears first that the next one carries it.
  const { reason } = await deadline(detached, SOON_MS);
  assert(["replaced", "peer-hung-up"].includes(reason), reason);
  await deadline(resumed, SOON_MS);
  await talk(conn, accepted.conn);

  // No packet leaves, and the redials fail at once, again and again.
  await run("iptables", "-A OUTPUT -j REJECT");
  client.moveTo("10.79.0.9");
  conn.on("redial-failed", () => {});
  const asked = client.stats().asked;
  const remote = (conn.remoteAddr as Deno.NetAddr).hostname;
  await ip(
    `addr del ${remote}/24 dev ${remote.startsWith("10.78") ? "vB" : "vA"}`,
  )
    .catch(() => {});
  await delay(3_000);
  const questions = client.stats().asked - asked;
  assert(questions <= 6, `${questions} questions in three seconds`);
  await run("iptables", "-F");
  conn.abort();
}

/** 2: signalling tries a broker long before its pause is over. */
{
  await using watch = await watchNetwork();
  await using ann = await openSignalling({
    ...{ identity: await createIdentity(), brokers, network: watch },
  });
  while (ann.state.brokers.some(({ status }) => status !== "up")) {
    await ann.once("broker-up");
  }
  let told = ann.once("broker-down");
  await second.kill();
  let there = false;
  const change = async () => {
    await ip(`addr ${there ? "del" : "add"} 10.79.0.1/24 dev vA`);
    there = !there;
  };
  // Each change ends a pause, and the next one is longer, if chance will.
  let { retryInMs } = await told;
  while (retryInMs < 2 * SOON_MS) {
    told = ann.once("broker-down");
    await change();
    ({ retryInMs } = await deadline(told, SOON_MS));
  }
  await second.restart();
  const up = ann.once("broker-up");
  await change();
  assertEquals((await deadline(up, SOON_MS)).broker, second.url);
}

/** 3: a broker whose packets are swallowed is found out, and nothing is lost. */
{
  const open = async () =>
    await openSignalling({ identity: await createIdentity(), brokers });
  await using ann = await open();
  await using bob = await open();
  for (const end of [ann, bob]) {
    while (end.state.brokers.some(({ status }) => status !== "up")) {
      await end.once("broker-up");
    }
  }
  const received = new Map<string, number>();
  const reading = (async () => {
    for await (const { bytes } of bob.receive()) {
      const text = new TextDecoder().decode(bytes);
      received.set(text, (received.get(text) ?? 0) + 1);
    }
  })();
  const down = new Set<string>();
  ann.on("broker-down", ({ broker }) => down.add(broker));
  const sendSome = async (prefix: string, count: number) => {
    for (let i = 0; i < count; i++) {
      await ann.send(bob.id, new TextEncoder().encode(`${prefix} ${i}`));
    }
  };
  await sendSome("before", 20);
  const [home] = ann.state.brokers.map(({ url }) => url);
  const { port } = new URL(home!);
  for (const which of ["--dport", "--sport"]) {
    await run("iptables", `-A INPUT -p tcp ${which} ${port} -j DROP`);
  }
  for (let i = 0; !down.has(home!); i++) await sendSome(`while ${i}`, 5);
  await sendSome("after", 20);
  await run("iptables", "-F");
  await bob.close();
  await reading;
  assert([...received.values()].every((times) => times === 1));
  for (const [prefix, count] of [["before", 20], ["after", 20]] as const) {
    for (let i = 0; i < count; i++) assert(received.has(`${prefix} ${i}`));
  }
}
await Promise.all([first.kill(), second.kill()]);
Deno.exit(0);
