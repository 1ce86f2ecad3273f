// deno-lint-ignore-file no-console
/**
 * Runs inside a network namespace of its own, where it may change everything:
 * `unshare -Urn deno run … netns_driver.ts <scenario>`. Ends with exit code 1
 * and the reason when something did not hold.
 */
import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import {
  diffSnapshots,
  type NetworkWatch,
  readSnapshot,
  watchNetwork,
} from "../mod.ts";
import { createSocket } from "node:dgram";
import {
  cables,
  Ear,
  ip,
  line,
  monitors,
  Neighbour,
  sh,
  until,
} from "./netns_tools.ts";
import { matrixRun } from "./netns_matrix.ts";
import { randomRun } from "./netns_random.ts";

// Only hints may find a change: the safety nets are out of reach.
const EVENTS_ONLY = { pollMs: 600_000, fullReadMs: 600_000 };

async function script(): Promise<void> {
  await cables();
  await using watch = await watchNetwork(EVENTS_ONLY);
  using ear = new Ear(watch);
  await plugIn(ear);
  await ip("addr add 10.78.0.2/24 dev vA1");
  await ip("link set vA1 up");
  await ip("link set vB1 up");
  await until(
    () => watch.state.interfaces.every(({ up }) => up),
    () => "vA1 and vB1 up",
  );
  await watch.refresh();
  await reroute(ear);
  await unplug(ear);
  const settled = watch.once("settled");
  await ip("link set vA0 name lan0");
  assertEquals((await settled).reason, "quiet");
  assert(watch.state.interfaces.some(({ name }) => name === "lan0"));
  assertEquals(diffSnapshots(watch.state, await readSnapshot()), []);
  assertEquals(watch.stats().degraded, []);
}

async function plugIn(ear: Ear): Promise<void> {
  await ear.expect("link add vX type veth peer name vY", ...[
    "interface-added appeared vX",
    "interface-added appeared vY",
  ]);
  await ear.expect("link del vX", ...[
    "interface-removed disappeared vX",
    "interface-removed disappeared vY",
  ]);
  await ear.expect("addr add 10.77.0.2/24 dev vA0", ...[
    "address-added assigned vA0 10.77.0.2/24",
  ]);
  await ear.expect("link set vA0 up", "interface-up switched-on vA0");
  await ear.expect("link set vB0 up", ...[
    "interface-up switched-on vB0",
    "carrier-gained carrier vA0",
  ]);
  await ear.expect("route add default via 10.77.0.1", ...[
    "route-changed route-added 0>1",
    "gateway-changed gained undefined>10.77.0.1",
    "default-interface-changed gained undefined>vA0",
    "online usable",
  ]);
  await ear.expect("route replace default via 10.77.0.9", ...[
    "route-changed route-replaced 1>1",
    "gateway-changed replaced 10.77.0.1>10.77.0.9",
  ]);
}

async function reroute(ear: Ear): Promise<void> {
  // Two defaults: the worse one changes nothing but the table.
  await ear.expect("route add default via 10.78.0.1 metric 60", ...[
    "route-changed route-added 1>2",
  ]);
  await ear.expect("route del default via 10.77.0.9", ...[
    "route-changed route-removed 2>1",
    "gateway-changed replaced 10.77.0.9>10.78.0.1",
    "default-interface-changed replaced vA0>vA1",
  ]);
  await ear.expect("route add default via 10.77.0.1 metric 50", ...[
    "route-changed route-added 1>2",
    "gateway-changed replaced 10.78.0.1>10.77.0.1",
    "default-interface-changed replaced vA1>vA0",
  ]);
  await ear.expect("route add default via 10.77.0.7 table 100", ...[
    "route-changed route-added 0>1",
  ]);
  // A VPN that takes half of the Internet, and its other half.
  await ear.expect("route add 128.0.0.0/1 via 10.78.0.5", ...[
    "gateway-changed replaced 10.77.0.1>10.78.0.5",
    "default-interface-changed replaced vA0>vA1",
  ]);
  await ear.expect("route del 128.0.0.0/1 via 10.78.0.5", ...[
    "gateway-changed replaced 10.78.0.5>10.77.0.1",
    "default-interface-changed replaced vA1>vA0",
  ]);
  await ear.expect("rule add from all table 100 priority 7", ...[
    "route-changed rule-added 5>6",
    "gateway-changed replaced 10.77.0.1>10.77.0.7",
  ]);
  await ear.expect("rule del priority 7", ...[
    "route-changed rule-removed 6>5",
    "gateway-changed replaced 10.77.0.7>10.77.0.1",
  ]);
  // A route that goes with its nexthop object, of which only that is told.
  await ip("nexthop add id 9 via 10.77.0.3 dev vA0");
  await ear.expect("route add default nhid 9 metric 5", ...[
    "route-changed route-added 2>3",
    "gateway-changed replaced 10.77.0.1>10.77.0.3",
  ]);
  await ear.expect("nexthop del id 9", ...[
    "route-changed route-removed 3>2",
    "gateway-changed replaced 10.77.0.3>10.77.0.1",
  ]);
}

async function unplug(ear: Ear): Promise<void> {
  await ear.expect("link set vA0 mtu 1400", "interface-changed mtu vA0");
  // The kernel sends no word of the IPv4 routes that go with an interface.
  await ear.expect("link set vA0 down", ...[
    "interface-down switched-off vA0",
    "carrier-lost no-carrier vB0",
    "route-changed route-removed 2>1",
    "route-changed route-removed 1>0",
    "gateway-changed interface-down 10.77.0.1>10.78.0.1",
    "default-interface-changed interface-down vA0>vA1",
  ]);
  await ear.expect("link set vB1 down", ...[
    "interface-down switched-off vB1",
    "carrier-lost no-carrier vA1",
    "offline no-link",
  ]);
  await ear.expect("addr del 10.77.0.2/24 dev vA0", ...[
    "address-removed removed vA0 10.77.0.2/24",
  ]);
}

async function sensors(): Promise<void> {
  await cables();
  await ip("addr add 10.77.0.2/24 dev vA0");
  await ip("link set vA0 up");
  await ip("route add default via 10.77.0.1");
  {
    await using watch = await watchNetwork({
      ...EVENTS_ONLY,
      fallbackReadMs: 50,
    });
    using ear = new Ear(watch);
    const [pid] = await monitors();
    await sh(`kill -9 ${pid}`);
    await until(() => ear.heard.length > 0, () => "degraded");
    assertEquals(ear.heard.map(({ type }) => type), ["degraded"]);
    assert(watch.stats().degraded[0]?.includes("ip monitor ended"));
    // Deno.networkInterfaces() knows nothing of gateways: only reading helps.
    await ear.expect("route replace default via 10.77.0.5", ...[
      "route-changed route-replaced 1>1",
      "gateway-changed replaced 10.77.0.1>10.77.0.5",
    ]);
    assertEquals(watch.stats().monitor, "down");
    await until(() => ear.heard.length > 3, () => "recovered");
    assertEquals(ear.heard.at(-1)?.type, "recovered");
    assertEquals(watch.stats().monitorStarts, 2);
    await overflow(watch);
  }
  assertEquals(await monitors(), []);
  await using watch = await watchNetwork({
    monitor: false,
    fallbackReadMs: 50,
  });
  using ear = new Ear(watch);
  await ear.expect("route replace default via 10.77.0.9", ...[
    "route-changed route-replaced 1>1",
    "gateway-changed replaced 10.77.0.5>10.77.0.9",
  ]);
  assertEquals(await monitors(), []);
  assertEquals(watch.stats().monitor, "off");
}

/** The monitor sleeps while more happens than the kernel keeps for it. */
async function overflow(
  watch: NetworkWatch,
): Promise<void> {
  const [pid] = await monitors();
  await sh(`kill -STOP ${pid}
i=0; while [ $i -lt 3000 ]; do
  echo "route add 10.$((i / 250 + 100)).$((i % 250)).0/24 dev vA0 table 99"
  i=$((i + 1))
done | ip -batch -
ip route replace default via 10.77.0.6
kill -CONT ${pid}`);
  await until(
    () => watch.state.effective.IPv4?.gateway === "10.77.0.6",
    () => "the change behind the overflow",
  );
  await until(() => watch.stats().overflows > 0, () => "an overflow");
  await ip("route replace default via 10.77.0.5");
  await until(
    () => watch.state.effective.IPv4?.gateway === "10.77.0.5",
    () => "a change after the overflow",
  );
}

async function paths(): Promise<void> {
  await ip("link set lo up");
  await cables();
  await ip("addr add 10.77.0.2/24 dev vA0");
  await ip("addr add 10.78.0.2/24 dev vA1");
  for (const name of ["vA0", "vB0", "vA1", "vB1"]) {
    await ip(`link set ${name} up`);
  }
  await ip("route add default via 10.77.0.1");
  await using watch = await watchNetwork(EVENTS_ONLY);
  using listener = Deno.listen({ hostname: "10.77.0.2", port: 0 });
  using conn = await Deno.connect({
    hostname: "10.77.0.2",
    port: (listener.addr as Deno.NetAddr).port,
  });
  using _accepted = await listener.accept();
  assertEquals(conn.localAddr.hostname, "10.77.0.2");

  const heard: string[] = [];
  using mine = watch.track(conn);
  using far = watch.track({ localAddr: "10.77.0.2", remoteAddr: "198.18.0.1" });
  using other = watch.track({
    localAddr: "10.78.0.2",
    remoteAddr: "10.78.0.1",
  });
  for (const [name, path] of Object.entries({ mine, far, other })) {
    path.on("*", ({ type, reason }) => heard.push(`${name} ${type} ${reason}`));
  }
  const expect = async (command: string, ...lines: string[]) => {
    await ip(command);
    await until(
      () => heard.length >= lines.length,
      () => `${command}: ${lines.join("; ")}; heard ${heard.join("; ")}`,
    );
    await watch.refresh();
    assertEquals(heard.splice(0), lines, command);
  };
  await expect("route replace default via 10.77.0.9", ...[
    "far path-changed route-changed",
  ]);
  await expect("addr del 10.77.0.2/24 dev vA0", ...[
    "mine path-lost address-removed",
    "far path-lost address-removed",
  ]);
  await expect("addr add 10.77.0.2/24 dev vA0", ...[
    "mine path-restored address-added",
    "far path-restored address-added",
  ]);
  await expect("link set vB0 down", ...[
    "mine path-lost carrier-lost",
    "far path-lost carrier-lost",
  ]);
  assertEquals(mine.state.status, "lost");
  await expect("link set vB0 up", ...[
    "mine path-restored carrier-gained",
    "far path-restored carrier-gained",
  ]);
  mine[Symbol.dispose]();
  far[Symbol.dispose]();
  await expect("link set vA0 down");
  await expect("link set vA1 down", "other path-lost interface-down");
}

/** Speaks with the gateway, as any program does that uses the network. */
async function speak(): Promise<void> {
  const socket = createSocket("udp4");
  await new Promise((resolve) => socket.send("x", 9, "10.77.0.1", resolve));
  socket.close();
}

/** The same addresses, and another router behind them. */
async function swap(): Promise<void> {
  await cables();
  await using router = await Neighbour.start();
  await ip(`link set vB0 netns ${router.pid}`);
  await router.ip("addr add 10.77.0.1/24 dev vB0");
  await router.ip("link set vB0 address 02:00:00:00:00:0a");
  await router.ip("link set vB0 up");
  await ip("addr add 10.77.0.2/24 dev vA0");
  await ip("link set vA0 up");
  await using watch = await watchNetwork(EVENTS_ONLY);
  await ip("route add default via 10.77.0.1");
  const heard: string[] = [];
  watch.on("*", (event) => heard.push(line(event)));
  await speak();
  const hardware = () => watch.state.effective.IPv4?.hardware;
  await until(() => hardware() === "02:00:00:00:00:0a", () => "the router");
  await watch.refresh();
  heard.length = 0;
  // The cable is drawn, and put into another router that looks the same.
  await router.ip("link set vB0 down");
  await until(() => heard.some((told) => told.startsWith("offline")), () => "");
  await router.ip("link set vB0 address 02:00:00:00:00:0b");
  await router.ip("link set vB0 up");
  await until(() => heard.some((told) => told.startsWith("online")), () => "");
  await speak();
  await until(() => hardware() === "02:00:00:00:00:0b", () => "the other one");
  assertEquals(heard.filter((told) => told.includes("changed")), [
    "network-changed replaced 02:00:00:00:00:0a>02:00:00:00:00:0b",
  ]);
  // Pulled and put back into the same one: nothing but the carrier is told.
  heard.length = 0;
  await router.ip("link set vB0 down");
  await until(() => heard.some((told) => told.startsWith("offline")), () => "");
  await router.ip("link set vB0 up");
  await until(() => heard.some((told) => told.startsWith("online")), () => "");
  await speak();
  await delay(700);
  assertEquals(heard.filter((told) => told.includes("changed")), []);
}

/** Tells what the clocks say, until it is killed. */
async function clocks(): Promise<void> {
  await using watch = await watchNetwork({ pollMs: 200 });
  watch.on("*", (event) => {
    if (["woke", "clock-step", "stalled"].includes(event.type)) {
      console.log(JSON.stringify(event));
    }
  });
  console.log("{}");
  await delay(25_000);
}

/** The only `ip` is that of BusyBox: found by looking, told by its words. */
async function busybox(): Promise<void> {
  await using watch = await watchNetwork({ fallbackReadMs: 100 });
  assertEquals(watch.state.sees, ["addresses", "links", "routes", "rules"]);
  assertEquals(watch.state.problems, []);
  await using changes = watch.events();
  // Somebody else, with the whole of it, changes the network.
  const other = (line: string) =>
    sh(`PATH=/usr/sbin:/sbin:/usr/bin:/bin; ip ${line}`);
  await other("link add vA type veth peer name vB");
  await other("addr add 10.77.0.2/24 dev vA");
  await other("link set vA up");
  await other("link set vB up");
  await other("route add default via 10.77.0.1");
  for await (const event of changes) if (event.type === "online") break;
  assertEquals(watch.state.effective.IPv4, {
    family: "IPv4",
    interface: "vA",
    gateway: "10.77.0.1",
  });
  await other("link set vB down");
  await watch.once("carrier-lost", { signal: AbortSignal.timeout(5_000) });
}

/** No `ip` for this program: someone else adds 127.0.0.9 a little later. */
async function blind(): Promise<void> {
  await using watch = await watchNetwork({ pollMs: 20, fallbackReadMs: 20 });
  assertEquals(watch.state.sees, ["addresses"]);
  assert(watch.state.problems[0]?.includes("--allow-run=ip"));
  assert(watch.stats().degraded[0]?.includes("--allow-run=ip"));
  const added = await watch.once("address-added", {
    signal: AbortSignal.timeout(5_000),
  });
  assertEquals(line(added), "address-added assigned lo 127.0.0.9/8");
}

/** Watches until it is killed, and tells which monitor it has. */
async function hold(): Promise<void> {
  await using _watch = await watchNetwork();
  console.log(JSON.stringify({ monitors: await monitors() }));
  await delay(20_000);
}

/** Ends by itself though a watch runs, since that one was told to let it. */
async function unref(): Promise<void> {
  const watch = await watchNetwork();
  watch.unref();
  // It still works, for as long as something else keeps the program.
  const changed = watch.once("address-added");
  await ip("addr add 127.0.0.9/8 dev lo");
  const keep = setInterval(() => {}, 1_000);
  assertEquals((await changed).after.address, "127.0.0.9");
  await until(() => watch.stats().monitor === "live", () => "the monitor");
  clearInterval(keep);
  console.log(JSON.stringify({ monitors: await monitors() }));
}

/** A sensor that was stopped says nothing, and nobody says that it is. */
async function frozen(): Promise<void> {
  await cables();
  await ip("addr add 10.77.0.2/24 dev vA0");
  await ip("link set vA0 up");
  await using watch = await watchNetwork({ pollMs: 600_000, fullReadMs: 500 });
  using ear = new Ear(watch);
  const [pid] = await monitors();
  await sh(`kill -STOP ${pid}`);
  const { hints } = watch.stats();
  // Twice: the rare reading goes on for as long as it is silent.
  await ear.expect("route add default via 10.77.0.1", ...[
    "route-changed route-added 0>1",
    "gateway-changed gained undefined>10.77.0.1",
    "default-interface-changed gained undefined>vA0",
  ]);
  await ear.expect("route replace default via 10.77.0.5", ...[
    "route-changed route-replaced 1>1",
    "gateway-changed replaced 10.77.0.1>10.77.0.5",
  ]);
  assertEquals(watch.stats().hints, hints);
  await sh(`kill -CONT ${pid}`);
  await until(() => watch.stats().hints > hints, () => "hints again");
}

const scenarios: Record<string, () => Promise<void>> = {
  script,
  sensors,
  paths,
  swap,
  clocks,
  busybox,
  blind,
  hold,
  unref,
  frozen,
  random: () => {
    const [seed, changes, holdMs] = Deno.args.slice(1).map(Number);
    return randomRun(seed!, changes!, holdMs!);
  },
  matrix: () => {
    const [seed, rounds] = Deno.args.slice(1).map(Number);
    return matrixRun(seed!, rounds!);
  },
};
// A promise that never settles must fail its test, not hang it.
const [, , rounds = "0", holdMs = "0"] = Deno.args;
const fuseMs = 30_000 + Number(rounds) * (500 + Number(holdMs));
const fuse = setTimeout(() => {
  console.error(`The scenario ${Deno.args[0]} took more than ${fuseMs} ms`);
  Deno.exit(1);
}, fuseMs);
await scenarios[Deno.args[0]!]!();
clearTimeout(fuse);
