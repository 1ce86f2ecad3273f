/**
 * Faults of the lab that a doctor must tell apart, each with what it is asked:
 * real cables, tables, rules and servers. `restore()` of the lab undoes them.
 *
 * @module
 */
import { CA_CERTIFICATE, EXPIRED_CERTIFICATE } from "./certificates.ts";
import { LAB, type Lab, PORTS } from "./lab.ts";

/** One fault. */
export interface LabFault {
  /** The cause that explains it. */
  readonly id: string;
  /** Brings it about; what it gives back ends what `restore()` cannot. */
  readonly inject: (lab: Lab) => Promise<Disposable | void>;
  /** What is asked while it lasts: options of `diagnose`. */
  readonly ask: Readonly<Record<string, unknown>>;
}

/** The test page of the lab. */
export const LAB_PORTAL = "http://ok.test/generate_204";

const WEB = {
  target: { hostname: "ok.test", port: PORTS.http },
  portalUrl: LAB_PORTAL,
};

const target = (port: number, hostname = "ok.test") => ({
  target: { hostname, port },
  portalUrl: LAB_PORTAL,
});

/** The same rule for both families. */
const both = (rule: string) => `iptables ${rule}; ip6tables ${rule}`;

/** What is asked when nothing is wrong. */
export const HEALTHY: readonly Readonly<Record<string, unknown>>[] = [
  WEB,
  { portalUrl: LAB_PORTAL },
  {
    target: { hostname: LAB.server4, port: PORTS.http },
    portalUrl: LAB_PORTAL,
  },
  {
    target: { hostname: LAB.server6, port: PORTS.echo },
    portalUrl: LAB_PORTAL,
  },
  { target: { hostname: "127.0.0.1", port: 0 }, portalUrl: false },
];

/** All of them. */
export const LAB_FAULTS: readonly LabFault[] = [
  {
    id: "no-link",
    inject: (lab) => lab.sh("client", "ip link set cl down"),
    ask: WEB,
  },
  {
    id: "no-carrier",
    inject: (lab) => lab.sh("router", "ip link set lan down"),
    ask: WEB,
  },
  {
    id: "no-address",
    inject: (lab) => lab.sh("client", "ip addr flush dev cl"),
    ask: WEB,
  },
  {
    id: "address-tentative",
    inject: (lab) =>
      lab.sh(
        "client",
        `ip addr flush dev cl
         echo 60 > /proc/sys/net/ipv6/conf/cl/dad_transmits
         ip addr add fd66:1::99/64 dev cl
         ip -6 route replace default via ${LAB.gateway6} dev cl`,
      ),
    ask: WEB,
  },
  {
    id: "duplicate-address",
    inject: async (lab) => {
      await lab.sh("client", "ip addr flush dev cl");
      await lab.sh("router", "ip addr add fd66:1::77/64 dev lan nodad");
      await lab.sh(
        "client",
        `echo 1 > /proc/sys/net/ipv6/conf/cl/dad_transmits
         ip addr add fd66:1::77/64 dev cl
         for i in $(seq 100); do
           ip -6 addr show dev cl | grep -q dadfailed && exit 0; sleep 0.05
         done; exit 1`,
      );
    },
    ask: WEB,
  },
  {
    id: "address-conflict",
    inject: (lab) => lab.sh("router", `ip addr add ${LAB.client4}/32 dev lan`),
    ask: {
      target: { hostname: LAB.server4, port: PORTS.http },
      portalUrl: false,
    },
  },
  {
    id: "no-route",
    inject: (lab) =>
      lab.sh("client", "ip route del default; ip -6 route del default"),
    ask: WEB,
  },
  {
    id: "route-forbidden",
    inject: (lab) =>
      lab.sh(
        "client",
        `ip route add blackhole 10.66.2.0/24
         ip -6 route add blackhole fd66:2::/64`,
      ),
    ask: WEB,
  },
  {
    id: "gateway-silent",
    inject: async (lab) => {
      await lab.sh(
        "router",
        "ip link set lan arp off; ip6tables -A INPUT -i lan -j DROP",
      );
      await lab.sh("client", "ip neigh flush all; ip -6 neigh flush all");
    },
    ask: WEB,
  },
  {
    id: "upstream-silent",
    inject: (lab) => lab.sh("router", both("-P FORWARD DROP")),
    ask: WEB,
  },
  {
    id: "no-resolver",
    inject: (lab) => lab.sh("client", ": > /mnt/resolv.conf"),
    ask: WEB,
  },
  {
    id: "resolver-silent",
    inject: (lab) =>
      lab.sh(
        "router",
        `${both("-A FORWARD -p udp --dport 53 -j DROP")}
         ${both("-A FORWARD -p tcp --dport 53 -j DROP")}`,
      ),
    ask: WEB,
  },
  {
    id: "resolver-failing",
    inject: async (lab) => {
      await lab.dns({ server: 1, rcode: 2 });
      await lab.dns({ server: 2, rcode: 5 });
    },
    ask: target(PORTS.http, "never-asked-before.test"),
  },
  {
    id: "resolver-dead",
    inject: (lab) => lab.dns({ server: 2, silent: true }),
    ask: WEB,
  },
  {
    id: "name-sinkholed",
    inject: () => Promise.resolve(),
    ask: target(PORTS.http, "sink.test"),
  },
  {
    id: "name-unknown",
    inject: () => Promise.resolve(),
    ask: target(PORTS.http, "nx.test"),
  },
  {
    id: "portal",
    inject: (lab) =>
      lab.sh(
        "router",
        `iptables -t nat -A PREROUTING -i lan -p tcp --dport 80 -j DNAT --to ${LAB.server4}:${PORTS.portal}
         ip6tables -t nat -A PREROUTING -i lan -p tcp --dport 80 -j DNAT --to [${LAB.server6}]:${PORTS.portal}`,
      ),
    ask: target(PORTS.echo),
  },
  {
    id: "clock-wrong",
    inject: () => Promise.resolve(),
    ask: {
      target: { hostname: "ok.test", port: PORTS.echo },
      portalUrl: `http://ok.test:${PORTS.clock}/generate_204`,
    },
  },
  {
    id: "tls-untrusted",
    inject: () => Promise.resolve(),
    ask: target(PORTS.tls),
  },
  {
    id: "tls-name",
    inject: () => Promise.resolve(),
    ask: { ...target(PORTS.tls), tls: { caCerts: [CA_CERTIFICATE] } },
  },
  {
    id: "tls-validity",
    inject: () => Promise.resolve(),
    ask: { ...target(PORTS.expired), tls: { caCerts: [EXPIRED_CERTIFICATE] } },
  },
  {
    id: "not-tls",
    inject: () => Promise.resolve(),
    ask: { ...target(PORTS.http), tls: true },
  },
  {
    id: "target-refused",
    inject: () => Promise.resolve(),
    ask: target(PORTS.dead),
  },
  {
    id: "target-rejected",
    inject: (lab) =>
      lab.sh(
        "router",
        `iptables -A FORWARD -p tcp --dport ${PORTS.echo} -j REJECT --reject-with icmp-admin-prohibited
         ip6tables -A FORWARD -p tcp --dport ${PORTS.echo} -j REJECT --reject-with icmp6-adm-prohibited`,
      ),
    ask: target(PORTS.echo),
  },
  {
    id: "target-silent",
    inject: (lab) =>
      lab.sh("router", both(`-A FORWARD -p tcp --dport ${PORTS.echo} -j DROP`)),
    ask: target(PORTS.echo),
  },
  {
    id: "service-frozen",
    inject: () => Promise.resolve(),
    ask: { ...target(PORTS.sink), http: true },
  },
  {
    id: "mtu-black-hole",
    inject: (lab) =>
      lab.sh(
        "router",
        `ip link set wan mtu 1280
         iptables -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP
         ip6tables -A OUTPUT -p icmpv6 --icmpv6-type packet-too-big -j DROP`,
      ),
    ask: WEB,
  },
  {
    id: "ipv6-broken",
    inject: (lab) => lab.sh("router", "ip6tables -P FORWARD DROP"),
    ask: WEB,
  },
  {
    id: "local-firewall",
    inject: (lab) => lab.sh("client", both("-A OUTPUT -o cl -j DROP")),
    ask: WEB,
  },
  {
    id: "firewall-blocks",
    inject: () => Promise.resolve(),
    ask: {
      ...WEB,
      firewall: { open: false, why: "nft: table inet filter drops tcp 4000" },
    },
  },
  {
    id: "ports-exhausted",
    inject: async (lab) => {
      await lab.sh(
        "client",
        "echo 40000 40019 > /proc/sys/net/ipv4/ip_local_port_range",
      );
      const held: Deno.Conn[] = [];
      for (const hostname of [LAB.server4, LAB.server6]) {
        for (let i = 0; i < 20; i++) {
          const port = PORTS.echo;
          try {
            held.push(await Deno.connect({ hostname, port }));
          } catch {
            break; // That was the last one.
          }
        }
      }
      return {
        [Symbol.dispose]() {
          for (const conn of held) conn.close();
          Deno.writeTextFileSync(
            "/proc/sys/net/ipv4/ip_local_port_range",
            "32768 60999",
          );
        },
      };
    },
    ask: target(PORTS.echo),
  },
  {
    id: "descriptors-exhausted",
    inject: () => {
      const held: Deno.FsFile[] = [];
      try {
        for (;;) held.push(Deno.openSync("/dev/null"));
      } catch {
        // No more.
      }
      return Promise.resolve({
        [Symbol.dispose]() {
          for (const file of held) file.close();
        },
      });
    },
    ask: WEB,
  },
  {
    id: "proxy-broken",
    inject: () => Promise.resolve(),
    ask: {
      portalUrl: LAB_PORTAL,
      environment: { HTTPS_PROXY: `http://${LAB.server4}:${PORTS.dead}` },
    },
  },
  {
    id: "broker-unreachable",
    inject: () => Promise.resolve(),
    ask: { ...WEB, brokers: [`mqtt://ok.test:${PORTS.dead}`] },
  },
  {
    id: "idle-dropped",
    inject: (lab) => {
      // As a NAT forgets it: after the connection was made, in the pause.
      const timer = setTimeout(
        () => lab.sh("router", both("-A FORWARD -p tcp --dport 80 -j DROP")),
        4_500,
      );
      return Promise.resolve({ [Symbol.dispose]: () => clearTimeout(timer) });
    },
    ask: { ...WEB, idleMs: 5_500 },
  },
];
