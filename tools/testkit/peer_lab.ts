/**
 * Two hosts with two interfaces each, and three brokers, behind one router, all
 * in network namespaces of their own, with IPv4 and IPv6. The program that
 * opens it is the router, and must run in namespaces of its own
 * (`unshare -Urn`), so that nothing of it reaches the machine.
 *
 * ```text
 *   a  a0 10.1.0.2 ── .1 ┐        ┌ 10.9.1.2 broker 1
 *      a1 10.1.1.2 ── .1 ┤ router ├ 10.9.2.2 broker 2
 *   b  b0 10.2.0.2 ── .1 ┤        └ 10.9.3.2 broker 3
 *      b1 10.2.1.2 ── .1 ┘          (fd00:1:0::2 and so on beside each)
 * ```
 *
 * @module
 */

/** A host. */
export type Host = "a" | "b";

const HOSTS: readonly Host[] = ["a", "b"];
const NET: Readonly<Record<Host, number>> = { a: 1, b: 2 };
const BROKERS = [0, 1, 2] as const;
const BROKER_PORT = 1883;

/** Which broker. */
export type BrokerIndex = (typeof BROKERS)[number];

/** A host's place: its interface, 0 or 1, and the last part of its address. */
export interface Place {
  readonly link: 0 | 1;
  readonly last: number;
}

/** The whole of it. */
export interface PeerLab extends AsyncDisposable {
  /** The URLs of the brokers. */
  readonly brokers: readonly string[];
  /** Where a host is now. */
  place(host: Host): Place;
  /** Its IPv4 address now. */
  address(host: Host): string;
  /** A command that runs in the namespace of a host. */
  inside(host: Host, command: readonly string[]): string[];
  /** Runs a script there, which must succeed. */
  sh(host: Host, script: string): Promise<void>;
  /** Another place: link, addresses and gateway change in one batch. */
  move(host: Host, to: Place): Promise<void>;
  /** Takes the link down, and brings it back after some milliseconds. */
  flap(host: Host, ms: number): Promise<void>;
  /** Lets nothing in but answers. */
  dropAll(host: Host): Promise<void>;
  /** Every rule is gone. */
  flushRules(host: Host): Promise<void>;
  /** `SIGSTOP` or `SIGCONT` for a broker. */
  freeze(broker: BrokerIndex, frozen: boolean): void;
  /** `kill -9` for a broker. */
  kill(broker: BrokerIndex): Promise<void>;
  /** Starts a killed one again, and lets a frozen one go on. */
  revive(broker: BrokerIndex): Promise<void>;
}

/** Runs a script where it stands, which must succeed. */
async function sh(script: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("sh", {
    args: ["-ec", script],
    ...{ stdin: "null", stdout: "null", stderr: "piped" },
  }).output();
  if (success) return;
  throw new Error(`${script}: ${new TextDecoder().decode(stderr)}`);
}

function holder(): Deno.ChildProcess {
  return new Deno.Command("unshare", {
    args: ["-n", "sleep", "infinity"],
    ...{ stdin: "null", stdout: "null", stderr: "null" },
  }).spawn();
}

/** Builds it, and starts the brokers. */
export async function openPeerLab(
  options: { readonly brokers?: boolean } = {},
): Promise<PeerLab> {
  const lab = new Lab();
  try {
    await lab.build(options.brokers ?? true);
    return lab;
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    throw error;
  }
}

class Lab implements PeerLab {
  readonly brokers = BROKERS.map((i) =>
    `mqtt://10.9.${i + 1}.2:${BROKER_PORT}`
  );
  readonly #hosts: Record<Host, Deno.ChildProcess> = {
    a: holder(),
    b: holder(),
  };
  readonly #homes = BROKERS.map(() => holder());
  readonly #running: (Deno.ChildProcess | undefined)[] = [];
  readonly #places: Record<Host, Place> = {
    a: { link: 0, last: 2 },
    b: { link: 0, last: 2 },
  };
  readonly #wires: string[] = [];
  #folder = "";

  async build(withBrokers: boolean): Promise<void> {
    this.#folder = await Deno.makeTempDir({ prefix: "holdfast-lab-" });
    const all = [...Object.values(this.#hosts), ...this.#homes];
    await Promise.all(all.map(({ pid }) => ownNamespace(pid)));
    await sh(`
      ip link set lo up
      echo 1 > /proc/sys/net/ipv4/ip_forward
      echo 1 > /proc/sys/net/ipv6/conf/all/forwarding`);
    for (const host of HOSTS) {
      for (const link of [0, 1]) {
        const net = `${NET[host]}.${link}`;
        const net6 = `fd00:${NET[host]}:${link}`;
        await this.#wire(this.#hosts[host].pid, `${host}${link}`, net, net6);
      }
      await this.sh(
        host,
        `ip link set lo up
         echo 0 > /proc/sys/net/ipv6/conf/default/dad_transmits`,
      );
      await this.move(host, this.#places[host]);
    }
    for (const i of BROKERS) {
      const { pid } = this.#homes[i]!;
      const [net, net6] = [`9.${i + 1}`, `fd00:9:${i + 1}`];
      await this.#wire(pid, `s${i}`, net, net6);
      await sh(`nsenter -t ${pid} -n sh -ec '
        ip link set lo up; ip link set s${i} up
        ip addr add 10.${net}.2/24 dev s${i}
        ip -6 addr add ${net6}::2/64 dev s${i} nodad
        ip route add default via 10.${net}.1
        ip -6 route add default via ${net6}::1'`);
      if (withBrokers) await this.revive(i);
    }
  }

  async #wire(pid: number, name: string, net: string, net6: string) {
    this.#wires.push(`r-${name}`);
    await sh(`
      ip link add r-${name} type veth peer name ${name}
      ip link set ${name} netns ${pid}
      ip addr add 10.${net}.1/24 dev r-${name}
      ip link set r-${name} up
      ip -6 addr add ${net6}::1/64 dev r-${name} nodad`);
  }

  place(host: Host): Place {
    return this.#places[host];
  }

  address(host: Host): string {
    const { link, last } = this.#places[host];
    return `10.${NET[host]}.${link}.${last}`;
  }

  inside(host: Host, command: readonly string[]): string[] {
    return ["nsenter", "-t", `${this.#hosts[host].pid}`, "-n", ...command];
  }

  sh(host: Host, script: string): Promise<void> {
    const quoted = script.replaceAll("'", `'\\''`);
    const { pid } = this.#hosts[host];
    return sh(`nsenter -t ${pid} -n sh -ec '${quoted}'`);
  }

  async move(host: Host, to: Place): Promise<void> {
    const from = this.#places[host];
    this.#places[host] = to;
    const old = `${host}${from.link}`;
    const leave = from.link === to.link
      ? `ip addr flush dev ${old}`
      : `ip addr flush dev ${old}; ip link set ${old} down`;
    await this.sh(host, `${leave}; ${this.#up(host)}`);
  }

  #up(host: Host): string {
    const { link, last } = this.#places[host];
    const name = `${host}${link}`;
    const net6 = `fd00:${NET[host]}:${link}`;
    return `ip link set ${name} up
      ip addr replace ${this.address(host)}/24 dev ${name}
      ip -6 addr replace ${net6}::${last}/64 dev ${name} nodad
      ip route replace default via 10.${NET[host]}.${link}.1 dev ${name}
      ip -6 route replace default via ${net6}::1 dev ${name}`;
  }

  async flap(host: Host, ms: number): Promise<void> {
    const { link } = this.#places[host];
    await this.sh(host, `ip link set ${host}${link} down`);
    await new Promise((resolve) => setTimeout(resolve, ms));
    await this.sh(host, this.#up(host));
  }

  dropAll(host: Host): Promise<void> {
    return this.sh(
      host,
      `nft -f - <<EOF
table inet lab {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    iif lo accept
    ip protocol icmp accept
    meta l4proto ipv6-icmp accept
  }
}
EOF`,
    );
  }

  flushRules(host: Host): Promise<void> {
    return this.sh(host, "nft flush ruleset");
  }

  freeze(broker: BrokerIndex, frozen: boolean): void {
    this.#running[broker]?.kill(frozen ? "SIGSTOP" : "SIGCONT");
  }

  async kill(broker: BrokerIndex): Promise<void> {
    const process = this.#running[broker];
    if (process === undefined) return;
    this.#running[broker] = undefined;
    process.kill("SIGKILL");
    await process.status;
  }

  async revive(broker: BrokerIndex): Promise<void> {
    if (this.#running[broker] !== undefined) return this.freeze(broker, false);
    const address = `10.9.${broker + 1}.2`;
    const config = `${this.#folder}/broker-${broker}.conf`;
    await Deno.writeTextFile(
      config,
      `allow_anonymous true\nuser root\nlistener ${BROKER_PORT} ${address}\n`,
    );
    const pid = `${this.#homes[broker]!.pid}`;
    // nsenter becomes mosquitto, so that its id is that of the broker.
    this.#running[broker] = new Deno.Command("nsenter", {
      args: ["-t", pid, "-n", "mosquitto", "-c", config],
      ...{ stdin: "null", stdout: "null", stderr: "null" },
    }).spawn();
    await answering(address, BROKER_PORT);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const i of BROKERS) await this.kill(i);
    // The kernel takes its time with those of a namespace that ends.
    await sh(
      this.#wires.map((name) => `ip link del ${name} || true`).join("\n"),
    );
    for (const child of [...Object.values(this.#hosts), ...this.#homes]) {
      child.kill("SIGKILL");
      await child.status;
    }
    if (this.#folder !== "") {
      await Deno.remove(this.#folder, { recursive: true }).catch(() => {});
    }
  }
}

/** Until a holder has left the namespace that it was started in. */
async function ownNamespace(pid: number): Promise<void> {
  const own = await Deno.readLink("/proc/self/ns/net");
  for (let tries = 0; tries < 500; tries++) {
    try {
      if (await Deno.readLink(`/proc/${pid}/ns/net`) !== own) return;
    } catch {
      // It has only just begun.
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`Process ${pid} has no network namespace of its own`);
}

async function answering(hostname: string, port: number): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      (await Deno.connect({ hostname, port })).close();
      return;
    } catch (error) {
      if (tries >= 500) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
