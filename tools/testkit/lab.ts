/**
 * A client, a router and a server, each in a network namespace of its own, with
 * IPv4 and IPv6: the ground on which tests and benches cut real cables. The
 * program that opens it is the client, and must run in namespaces of its own
 * (`unshare -Urnm`), so that nothing of it reaches the machine.
 *
 * ```text
 *   client  cl ── lan  router  wan ── srv  server
 *   10.66.1.2/24 ─ .1          10.66.2.1 ─ 10.66.2.2, .3 (second name server)
 *   fd66:1::2/64 ─ ::1         fd66:2::1 ─ fd66:2::2
 * ```
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import {
  CLIENT_UP,
  LAB,
  NO_RULES,
  PORTS,
  ROUTER_UP,
  SERVER_UP,
} from "./lab_layout.ts";

export { LAB, PORTS, type Service } from "./lab_layout.ts";

/** Whose namespace. */
export type Place = "client" | "router" | "server";

/** The three hosts. */
export interface Lab extends AsyncDisposable {
  /** Runs a script there, which must succeed. */
  sh(place: Place, script: string): Promise<void>;
  /** Makes the server's name servers answer so; see `dns.ts`. */
  dns(setting: {
    readonly server: 1 | 2;
    readonly silent?: boolean;
    readonly rcode?: number | null;
  }): Promise<void>;
  /** Undoes what a fault changed: rules, addresses, routes, links. */
  restore(): Promise<void>;
}

/** Runs a shell script where it stands, which must succeed. */
export async function sh(script: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("sh", {
    args: ["-ec", script],
    ...{ stdout: "null", stderr: "piped" },
  }).output();
  if (!success) {
    throw new Error(`${script}: ${new TextDecoder().decode(stderr)}`);
  }
}

/** Builds it, and starts the services of the server. */
export async function openLab(
  { services = true }: { readonly services?: boolean } = {},
): Promise<Lab> {
  await mountNameServers();
  const router = holder();
  const server = holder();
  const places: Record<Place, Deno.ChildProcess | undefined> = {
    ...{ client: undefined, router, server },
  };
  const run = (place: Place, script: string): Promise<void> => {
    const process = places[place];
    if (process === undefined) return sh(script);
    const quoted = script.replaceAll("'", `'\\''`);
    return sh(`nsenter -t ${process.pid} -n sh -ec '${quoted}'`);
  };
  await new Promise((resolve) => setTimeout(resolve, 50));
  // Addresses are usable at once; a test of their check switches it on.
  const noCheck = "echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits";
  for (const place of ["client", "router", "server"] as const) {
    await run(place, noCheck);
  }
  await sh(`
    ip link add cl type veth peer name lan
    ip link set lan netns ${router.pid}
    ip link add wan type veth peer name srv
    ip link set wan netns ${router.pid}
    ip link set srv netns ${server.pid}`);
  await run("router", ROUTER_UP);
  await run("server", SERVER_UP);
  await sh(CLIENT_UP);
  const serving = services ? await serve(server.pid) : undefined;
  if (services) await ready();
  const lab: Lab = {
    sh: run,
    dns: setNameServer,
    restore: () => restore(run, services, lab),
    async [Symbol.asyncDispose]() {
      for (const process of [serving, server, router]) {
        if (process === undefined) continue;
        process.kill("SIGKILL");
        await process.status;
      }
    },
  };
  return lab;
}

/** By the lab's own control port: the server is another process. */
async function setNameServer(
  setting: Parameters<Lab["dns"]>[0],
): Promise<void> {
  const text = encodeURIComponent(JSON.stringify(setting));
  const client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const response = await fetch(
    `http://${LAB.server4}:${PORTS.control}/?set=${text}`,
    { client },
  );
  await response.body?.cancel();
  client.close();
}

async function restore(
  run: Lab["sh"],
  services: boolean,
  lab: Lab,
): Promise<void> {
  await sh(
    `printf '${NAME_SERVERS}' > /mnt/resolv.conf
         ip link set cl up
         ip addr flush dev cl
         ip -4 neigh flush all; ip -6 neigh flush all
         ip link del dead 2> /dev/null || true
         ip rule | grep -q 'lookup 66' && ip rule del table 66 || true
         echo 32768 60999 > /proc/sys/net/ipv4/ip_local_port_range
     echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6
         echo 0 > /proc/sys/net/ipv6/conf/cl/dad_transmits
         ip route flush table main; ip -6 route flush table main
         ${NO_RULES}
         ip link set cl down
         ${CLIENT_UP}`,
  );
  await run(
    "router",
    `${NO_RULES}
         ip link set lan arp on
         ip link set lan mtu 1500; ip link set wan mtu 1500
         ip addr del ${LAB.client4}/32 dev lan || true
         ip addr del fd66:1::77/64 dev lan || true
         ${ROUTER_UP}
         ip neigh flush all; ip -6 neigh flush all`,
  );
  await run(
    "server",
    `${NO_RULES}
         ip link set srv up
         ${SERVER_UP}
         ip neigh flush all; ip -6 neigh flush all`,
  );
  if (!services) return;
  await ready();
  for (const server of [1, 2] as const) {
    await lab.dns({ server, silent: false, rcode: null });
  }
}

const NAME_SERVERS = `nameserver ${LAB.server4}\\nnameserver ${LAB.second4}\\n`;

/** The namespace's own resolv.conf: the two servers of the lab. */
async function mountNameServers(): Promise<void> {
  await sh(`
    mount -t tmpfs lab /mnt
    printf '${NAME_SERVERS}' > /mnt/resolv.conf
    printf '127.0.0.1 localhost\\n' > /mnt/hosts
    mount --bind /mnt/resolv.conf /etc/resolv.conf
    mount --bind /mnt/hosts /etc/hosts`);
}

function holder(): Deno.ChildProcess {
  return new Deno.Command("unshare", {
    args: ["-n", "sleep", "infinity"],
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  }).spawn();
}

async function serve(pid: number): Promise<Deno.ChildProcess> {
  const script = fileURLToPath(new URL("./lab_services.ts", import.meta.url));
  const child = new Deno.Command("nsenter", {
    args: [
      ...["-t", `${pid}`, "-n", Deno.execPath(), "run", "--no-check", "-A"],
      script,
    ],
    ...{ stdin: "null", stdout: "piped", stderr: "inherit" },
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  await reader.cancel();
  return child;
}

/** Runs a driver in namespaces of its own; fails with what it said. */
export async function runInLab(
  driver: URL,
  args: string[] = [],
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      ...["-Urnm", Deno.execPath(), "run", "--no-prompt", "--no-check", "-A"],
      ...[fileURLToPath(driver), ...args],
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (!success) throw new Error(text + new TextDecoder().decode(stderr));
  return text;
}

/** Until both families get through: neighbours are asked for, routes learned. */
async function ready(): Promise<void> {
  for (const hostname of [LAB.server4, LAB.server6]) {
    for (let tries = 0;; tries++) {
      try {
        const signal = AbortSignal.timeout(150);
        const port = PORTS.control;
        (await Deno.connect({ hostname, port, signal })).close();
        break;
      } catch (error) {
        if (tries >= 100) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
}
