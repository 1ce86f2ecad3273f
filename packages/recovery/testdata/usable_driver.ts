// deno-lint-ignore-file no-console -- the runner reads it
/**
 * In a namespace of its own, with a server in another one at the end of a
 * cable: an address that is still being checked, a route that comes late, a
 * neighbour that is silent. Each time plain Deno first, then with the gate.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { diagnose } from "../doctor.ts";
import { whenUsable } from "../mod.ts";
import { sh } from "./in_namespace.ts";

const PORT = 7000;
const SIX = "fd66:2::2";
const FOUR = "10.66.2.2";

async function connects(hostname: string, ms: number): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ms);
    const conn = await Deno.connect({ hostname, port: PORT, signal });
    conn.close();
    return true;
  } catch {
    return false;
  }
}

// The other host: a namespace with a server on all its addresses.
const other = new Deno.Command("unshare", {
  args: ["-n", Deno.execPath(), "run", "--allow-net", "--allow-run=sh", "-"],
  ...{ stdin: "piped", stdout: "piped" },
}).spawn();
const writer = other.stdin.getWriter();
await writer.write(new TextEncoder().encode(`
  const listener = Deno.listen({ hostname: "::", port: ${PORT} });
  console.log("listening");
  for await (const conn of listener) conn.close();
`));
await writer.close();
const reader = other.stdout.getReader();
await reader.read();
await sh(`
ip link set lo up
ip link add vA type veth peer name vB
ip link set vB netns ${other.pid}
nsenter -t ${other.pid} -n sh -ec '
  ip link set lo up
  ip addr add ${SIX}/64 dev vB nodad
  ip addr add ${FOUR}/24 dev vB
  ip link set vB up'
`);

/** The interface comes up with an address, as after a switch of networks. */
const arrive = () => sh("ip link set vA up; ip addr add fd66:2::1/64 dev vA");
const leave = () => sh("ip addr flush dev vA; ip link set vA down");

try {
  // 1: the address is there, and is being checked for duplicates.
  await arrive();
  assertEquals(await connects(SIX, 4_000), false, "plain Deno found its way");
  await leave();
  await arrive();
  const { waitedFor, source } = await whenUsable({ hostname: SIX, port: PORT });
  assert(waitedFor.includes("tentative"), waitedFor.join());
  assertEquals(source, "fd66:2::1");
  assert(await connects(SIX, 10_000), "it is usable, and is not");

  // 2: broken IPv6 holds no IPv4 up.
  await leave();
  await sh("ip link set vA up; ip addr add 10.66.2.1/24 dev vA");
  await sh("ip addr add fd66:9::1/64 dev vA");
  const four = await whenUsable({ hostname: FOUR, port: PORT });
  assert(!four.waitedFor.includes("tentative"), four.waitedFor.join());
  assert(await connects(FOUR, 10_000));

  // 3: a route that comes late, and one that does not.
  const far = { hostname: "10.99.0.9", port: PORT };
  assertEquals(await connects(far.hostname, 1_000), false);
  const late = whenUsable(far);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await sh(`nsenter -t ${other.pid} -n ip addr add 10.99.0.9/32 dev lo
ip route add default via ${FOUR}`);
  assertEquals((await late).waitedFor, ["no-route"]);
  assert(await connects(far.hostname, 10_000));
  await sh("ip route del default");
  const error = await assertRejects(
    () => whenUsable(far, { deadlineMs: 300 }),
    DOMException,
  );
  assertEquals(error.name, "TimeoutError");
  assert(error.message.includes("no route"), error.message);

  // 4: nobody there.
  const silent = await assertRejects(
    () =>
      whenUsable({ hostname: "10.66.2.99", port: PORT }, { deadlineMs: 6_000 }),
    DOMException,
  );
  assert(silent.message.includes("does not answer"), silent.message);
  await leave();
  const down = await assertRejects(
    () => whenUsable({ hostname: FOUR, port: PORT }, { deadlineMs: 300 }),
    DOMException,
  );
  assert(/is down/.test(down.message), down.message);

  // 5: however the address is written, and however far it reaches.
  await sh("ip link set vA up; ip addr add 10.66.2.1/24 dev vA");
  await sh("ip addr add fd66:2::1/64 dev vA nodad");
  const { stdout } = await new Deno.Command("nsenter", {
    args: ["-t", `${other.pid}`, "-n", "ip", "-j", "addr", "show", "dev", "vB"],
  }).output();
  const link = JSON.parse(new TextDecoder().decode(stdout))[0].addr_info
    .find((row: { local: string }) => row.local.startsWith("fe80")).local;
  for (
    const hostname of [
      ...["FD66:2:0:0::2", `::ffff:${FOUR}`, `${link}%vA`],
    ]
  ) {
    const usable = await whenUsable({ hostname, port: PORT });
    assertEquals(usable.interface, "vA", hostname);
    assert(await connects(hostname, 10_000), hostname);
    const { causes } = await diagnose({
      target: { hostname, port: PORT },
      portalUrl: false,
    });
    assertEquals(causes, [], hostname);
  }

  // 6: a neighbour that the kernel has given up comes back without a word.
  const failed = async () => {
    const { stdout } = await new Deno.Command("ip", {
      args: ["neigh", "show", FOUR],
    }).output();
    return new TextDecoder().decode(stdout).includes("FAILED");
  };
  await sh(`ip neigh flush dev vA
nsenter -t ${other.pid} -n ip link set vB arp off`);
  while (!await failed()) await connects(FOUR, 1_000);
  const back = whenUsable({ hostname: FOUR, port: PORT }, {
    deadlineMs: 60_000,
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  await sh(`nsenter -t ${other.pid} -n ip link set vB arp on`);
  assert((await back).waitedFor.includes("neighbour-silent"));
} finally {
  other.kill("SIGKILL");
  await other.status;
  await reader.cancel();
}
console.log("done");
Deno.exit(0);
