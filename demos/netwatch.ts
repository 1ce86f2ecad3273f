// deno-lint-ignore-file no-console -- A demo writes lines.
/**
 * Shows `@holdfast/netwatch`: the network of this host, and then changes of a
 * network that this program may change, each told as it happens.
 *
 * ```sh
 * deno run --allow-sys=networkInterfaces --allow-run=ip,sh,unshare demos/netwatch.ts
 * ```
 *
 * The changes happen in a network namespace of their own (`unshare -Urn`, no
 * root). Where the system has none, two recorded snapshots are compared.
 */
import {
  describeEvent,
  describeSnapshot,
  diffSnapshots,
  type NetworkSnapshot,
  readSnapshot,
  watchNetwork,
} from "@holdfast/netwatch";

async function main(): Promise<number> {
  if (Deno.args[0] === "--inside") return await inside();
  console.log("The network of this host:");
  for (const line of describeSnapshot(await readSnapshot())) {
    console.log(`  ${line}`);
  }
  const why = await cannotUnshare();
  if (why !== undefined) {
    console.log(`\nNo live changes here: ${why}. Two recorded snapshots:`);
    return recorded();
  }
  console.log("\nA network of our own, in which everything changes:");
  const { code } = await new Deno.Command("unshare", {
    args: [
      "-Urn",
      Deno.execPath(),
      "run",
      "--no-prompt",
      "--allow-sys=networkInterfaces",
      "--allow-run=ip,sh",
      new URL(import.meta.url).pathname,
      "--inside",
    ],
    stdin: "null",
  }).spawn().status;
  return code;
}

/** Why there can be no namespace of our own; `undefined` when there can. */
async function cannotUnshare(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return `${Deno.build.os} has no namespaces`;
  try {
    const { success } = await new Deno.Command("unshare", {
      args: ["-Urn", "ip", "link", "set", "lo", "up"],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return success
      ? undefined
      : "this kernel refuses user namespaces, or ip is missing";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return "unshare is not installed";
    }
    if (error instanceof Deno.errors.NotCapable) {
      return "unshare may not be run: add --allow-run=ip,sh,unshare";
    }
    throw error;
  }
}

/** What happens, and what a watch must say about it. */
const STORY: readonly (readonly [string, string, readonly string[]])[] = [
  [
    "A cable with two ends appears, and one end gets an address",
    "link add wifi type veth peer name router; link set wifi addrgenmode none; link set router addrgenmode none; addr add 10.77.0.2/24 dev wifi",
    ["interface-added", "address-added"],
  ],
  [
    "It is plugged in",
    "link set router up; link set wifi up",
    ["interface-up"],
  ],
  [
    "A router is found",
    "route add default via 10.77.0.1",
    ["gateway-changed", "default-interface-changed", "online"],
  ],
  [
    "The router is replaced: same interface, same address, another gateway",
    "route replace default via 10.77.0.9",
    ["gateway-changed", "path-changed"],
  ],
  [
    "The other end loses power",
    "link set router down",
    ["carrier-lost", "offline", "path-lost"],
  ],
  [
    "It comes back",
    "link set router up",
    ["carrier-gained", "online", "path-restored"],
  ],
  [
    "The lease is not renewed",
    "addr del 10.77.0.2/24 dev wifi",
    ["address-removed", "offline", "path-lost"],
  ],
];

async function inside(): Promise<number> {
  await ip("link set lo up");
  await using watch = await watchNetwork();
  const heard = new Set<string>();
  let startMs = performance.now();
  const tell = (event: Parameters<typeof describeEvent>[0]): void => {
    heard.add(event.type);
    const ms = (performance.now() - startMs).toFixed(1).padStart(6);
    console.log(`  ${ms} ms  ${describeEvent(event)}`);
  };
  watch.on("*", (event) => {
    if (event.type !== "settled") tell(event);
  });
  // The handlers of one connection: to a server beyond the router.
  using path = watch.track({
    localAddr: "10.77.0.2",
    remoteAddr: "198.18.0.1",
  });
  path.on("*", tell);
  let failures = 0;
  for (const [what, commands, expected] of STORY) {
    console.log(`\n  ${what}`);
    heard.clear();
    startMs = performance.now();
    for (const command of commands.split("; ")) await ip(command);
    const missing = () => expected.filter((type) => !heard.has(type));
    for (let i = 0; i < 40 && missing().length > 0; i++) await pause(25);
    await watch.refresh();
    for (const type of missing()) {
      console.log(`  MISSED: ${type}`);
      failures++;
    }
  }
  const { reads, changes, polls } = watch.stats();
  console.log(
    `\n  ${changes} changes published, ${failures} missed; ${reads} readings, ${polls} looks`,
  );
  return failures === 0 ? 0 : 1;
}

async function ip(line: string): Promise<void> {
  const { success } = await new Deno.Command("ip", {
    args: line.split(" "),
    stdin: "null",
    stdout: "null",
  }).output();
  if (!success) throw new Error(`ip ${line} failed`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function recorded(): number {
  const home: NetworkSnapshot = {
    interfaces: [
      {
        name: "wlan0",
        index: 2,
        up: true,
        carrier: true,
        mtu: 1500,
        addresses: [{
          family: "IPv4",
          address: "192.168.1.20",
          prefix: 24,
          scope: "global",
          tentative: false,
          deprecated: false,
          temporary: false,
        }],
      },
      { name: "usb0", index: 3, up: false, mtu: 1500, addresses: [] },
    ],
    defaultRoutes: [],
    rules: [],
    effective: {
      IPv4: { family: "IPv4", interface: "wlan0", gateway: "192.168.1.1" },
    },
    online: true,
    sees: ["addresses", "links", "routes"],
    sources: ["ip"],
    problems: [],
  };
  const [wlan0, usb0] = home.interfaces;
  const phone: NetworkSnapshot = {
    ...home,
    interfaces: [
      { name: "wlan0", index: 2, up: false, mtu: 1500, addresses: [] },
      {
        ...usb0!,
        up: true,
        carrier: true,
        addresses: [{ ...wlan0!.addresses[0]!, address: "172.20.10.2" }],
      },
    ],
    effective: {
      IPv4: { family: "IPv4", interface: "usb0", gateway: "172.20.10.1" },
    },
  };
  const events = diffSnapshots(home, phone);
  for (const event of events) console.log(`  ${describeEvent(event)}`);
  return events.some(({ type }) => type === "gateway-changed") ? 0 : 1;
}

Deno.exit(await main());
