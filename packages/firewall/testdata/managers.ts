// ufw and firewalld in namespaces of their own (`unshare -Urnm`), with their
// own files and their own bus: nothing of them reaches the machine.
import { run } from "./lab.ts";

/** What the tests set up, each with the tools of its own. */
export type Backend =
  | "nft"
  | "iptables-nft"
  | "iptables-legacy"
  | "ufw"
  | "firewalld-nft"
  | "firewalld-iptables";

export const BACKENDS: readonly Backend[] = [
  ...["nft", "iptables-nft", "iptables-legacy", "ufw"] as const,
  ...["firewalld-nft", "firewalld-iptables"] as const,
];

/** A folder that only this namespace sees, where locks and buses belong. */
export async function privateRun(): Promise<void> {
  await run("mount -t tmpfs none /run".split(" "));
}

const BUS = `<!DOCTYPE busconfig PUBLIC
 "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type>
<listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/>
<allow send_type="method_call"/><allow send_destination="*"/>
<allow receive_type="*"/></policy></busconfig>`;

/** Something that runs beside the tests, and ends with them. */
class Daemon implements AsyncDisposable {
  readonly #children: readonly Deno.ChildProcess[];

  constructor(children: readonly Deno.ChildProcess[]) {
    this.#children = children;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      try {
        child.kill("SIGTERM");
      } catch {
        // It has ended by itself.
      }
      await child.status;
    }
  }
}

function daemon(argv: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(argv[0]!, {
    args: argv.slice(1),
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  }).spawn();
}

/** firewalld on a bus of its own. */
export async function startFirewalld(
  backend: "nftables" | "iptables",
): Promise<AsyncDisposable> {
  await Deno.mkdir("/run/dbus", { recursive: true });
  await Deno.mkdir("/run/fw", { recursive: true });
  await Deno.writeTextFile("/run/dbus.conf", BUS);
  await Deno.writeTextFile(
    "/run/fw/firewalld.conf",
    `FirewallBackend=${backend}\n`,
  );
  const bus = daemon([
    ...["dbus-daemon", "--nofork", "--nopidfile"],
    "--config-file=/run/dbus.conf",
  ]);
  await until(async () => {
    await Deno.stat("/run/dbus/system_bus_socket");
  });
  const fw = daemon([
    ...["firewalld", "--nofork", "--nopid", "--log-file", "/run/fw.log"],
    ...["--log-target", "file", "--system-config", "/run/fw"],
  ]);
  await until(async () => {
    await run(["firewall-cmd", "--state"]);
  });
  return new Daemon([fw, bus]);
}

/** ufw with copies of its files, switched on. */
export async function startUfw(): Promise<void> {
  await Deno.mkdir("/run/default", { recursive: true });
  await run("cp -a /etc/ufw /run/ufw".split(" "));
  await run("cp /usr/share/ufw/iptables/user.rules /run/ufw".split(" "));
  await run("cp /usr/share/ufw/iptables/user6.rules /run/ufw".split(" "));
  await run("cp /etc/default/ufw /run/default/ufw".split(" "));
  await run("mount --bind /run/ufw /etc/ufw".split(" "));
  await run("mount --bind /run/default/ufw /etc/default/ufw".split(" "));
  await run("ufw --force enable".split(" "));
}

async function until(what: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      return await what();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Rules of a host that lets nothing in, and bans one address. */
export async function setUpBackend(
  backend: Backend,
  banned: { readonly ipv4: string; readonly ipv6: string },
): Promise<AsyncDisposable> {
  const nothing: AsyncDisposable = { async [Symbol.asyncDispose]() {} };
  switch (backend) {
    case "nft":
      await run(["nft", "-f", "-"], nftHost(banned));
      return nothing;
    case "iptables-nft":
    case "iptables-legacy": {
      const kind = backend.slice("iptables-".length);
      for (const [family, address] of Object.entries(banned)) {
        const tool = family === "ipv4" ? "iptables" : "ip6tables";
        await run([`${tool}-${kind}-restore`], iptablesHost(address));
      }
      return nothing;
    }
    case "ufw":
      await startUfw();
      for (const address of Object.values(banned)) {
        await run(["ufw", "deny", "from", address]);
      }
      await run(["ufw", "allow", "22/tcp"]);
      // ufw writes more chains into its files than it loads at first.
      await run(["ufw", "reload"]);
      return nothing;
    default: {
      const started = await startFirewalld(
        backend === "firewalld-nft" ? "nftables" : "iptables",
      );
      for (const [family, address] of Object.entries(banned)) {
        await run([
          "firewall-cmd",
          `--add-rich-rule=rule family="${family}" source address="${address}" drop`,
        ]);
      }
      return started;
    }
  }
}

/** A denial of the user's, on purpose, in the words of the back end. */
export async function denyPort(backend: Backend, port: number): Promise<void> {
  switch (backend) {
    case "nft":
      await run(
        `nft insert rule inet host in tcp dport ${port} drop`.split(" "),
      );
      return;
    case "iptables-nft":
    case "iptables-legacy":
      for (const tool of ["iptables", "ip6tables"]) {
        const words = `-I INPUT -p tcp --dport ${port} -j DROP`;
        const kind = backend.slice("iptables-".length);
        await run([`${tool}-${kind}`, ...words.split(" ")]);
      }
      return;
    case "ufw":
      await run(`ufw deny ${port}/tcp`.split(" "));
      return;
    default:
      await run([
        "firewall-cmd",
        `--add-rich-rule=rule port port="${port}" protocol="tcp" reject`,
      ]);
  }
}

function nftHost({ ipv4, ipv6 }: { ipv4: string; ipv6: string }): string {
  return `table inet host {
  chain bans {
    ip saddr ${ipv4} drop
    ip6 saddr ${ipv6} drop
  }
  chain in {
    type filter hook input priority 0; policy drop
    ct state established,related accept
    iifname "lo" accept
    jump bans
    tcp dport 22 accept
    counter reject
  }
}
table inet strict {
  chain in {
    type filter hook input priority 10; policy drop
    ct state established accept
    tcp dport 22 accept
  }
}
`;
}

function iptablesHost(address: string): string {
  return `*filter
:INPUT DROP
:FORWARD ACCEPT
:OUTPUT ACCEPT
:bans -
-A bans -s ${address} -j DROP
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -i lo -j ACCEPT
-A INPUT -j bans
-A INPUT -p tcp -m tcp --dport 22 -m comment --comment "the user's \\"own\\"" -j ACCEPT
-A INPUT -m limit --limit 3/min -j LOG --log-prefix "[drop] "
-A INPUT -j DROP
COMMIT
`;
}

/** All that the firewalls hold, without counters and handles. */
export async function snapshot(): Promise<string> {
  const texts = [
    await run(["nft", "-s", "list", "ruleset"]),
    await run(["iptables-nft-save"]),
    await run(["ip6tables-nft-save"]),
    ...(await legacyIsLoaded()
      ? [
        await run(["iptables-legacy-save"]),
        await run(["ip6tables-legacy-save"]),
      ]
      : []),
    ...await Promise.all(
      ["/etc/ufw/user.rules", "/etc/ufw/user6.rules"].map((path) =>
        Deno.readTextFile(path).catch(() => "")
      ),
    ),
  ];
  return texts.join("\n")
    .replaceAll(/^#.*Generated by.*$|^# Completed on.*$/gm, "")
    .replaceAll(/\[\d+:\d+\]/g, "[0:0]")
    .replaceAll(/counter packets \d+ bytes \d+/g, "counter");
}

async function legacyIsLoaded(): Promise<boolean> {
  const names = await Deno.readTextFile("/proc/net/ip_tables_names")
    .catch(() => "");
  return names.trim() !== "";
}
