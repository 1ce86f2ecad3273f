/** Faults of the link and of the addresses. */
import { assert, assertEquals } from "@std/assert";
import { LAB, PORTS } from "@holdfast/testkit/lab";
import { diagnose } from "../../doctor.ts";
import {
  connectFrom,
  dial,
  familyMemory,
  retry,
  whenUsable,
} from "../../mod.ts";
import { connects, failureOf, type Fault, later } from "./fault.ts";

const FOUR = { hostname: LAB.server4, port: PORTS.echo };
const SIX = { hostname: LAB.server6, port: PORTS.echo };
const NAME = { hostname: "ok.test", port: PORTS.echo };
const CHECKED = "echo 1 > /proc/sys/net/ipv6/conf/cl/dad_transmits";

/** Plain Deno fails within so long. */
const hangs = (hostname: string, ms: number) => async () => {
  const how = await failureOf(() => connects(hostname, PORTS.echo, ms));
  assertEquals(how, "TimeoutError");
};
/** The dial gets through; what it opened is closed. */
const dials = (target: typeof FOUR, options = {}) => async () => {
  (await dial(target, { memory: familyMemory(), ...options })).close();
};
/** The gate opens, and then plain Deno gets through. */
const waits = (target: typeof FOUR) => async () => {
  await whenUsable(target);
  await connects(target.hostname, target.port, 10_000);
};

export const LINK_FAULTS: readonly Fault[] = [
  {
    id: "dad-tentative-bind",
    inject: (lab) =>
      lab.sh("client", `${CHECKED}; ip addr add fd66:1::99/64 dev cl`),
    plain: async () => {
      const hostname = "fd66:1::99";
      const how = await failureOf(() => Deno.listen({ hostname, port: 0 }));
      assertEquals(how, "EADDRNOTAVAIL");
    },
    prevented: async () => {
      const hostname = "fd66:1::99";
      (await retry(() => Deno.listen({ hostname, port: 0 }))).close();
    },
  },
  {
    id: "dad-tentative-source",
    inject: (lab) =>
      lab.sh(
        "client",
        `ip link set cl down
         ${CHECKED}
         ip link set cl up
         ip addr add ${LAB.client6}/64 dev cl
         ip -6 route replace default via ${LAB.gateway6} dev cl`,
      ),
    plain: hangs(LAB.server6, 4_000),
    prevented: dials(SIX, { deadlineMs: 20_000 }),
  },
  {
    id: "dad-failed",
    inject: async (lab) => {
      await lab.sh("router", "ip addr add fd66:1::77/64 dev lan nodad");
      await lab.sh(
        "client",
        `ip -6 addr flush dev cl scope global
         ${CHECKED}
         ip addr add fd66:1::77/64 dev cl
         ip -6 route replace default via ${LAB.gateway6} dev cl
         for i in $(seq 100); do
           ip -6 addr show dev cl | grep -q dadfailed && exit 0; sleep 0.05
         done; exit 1`,
      );
    },
    plain: async () => {
      const listed = Deno.networkInterfaces()
        .some(({ address }) => address === "fd66:1::77");
      assert(listed, "Deno does not show it any more");
      const hostname = "fd66:1::77";
      const how = await failureOf(() => Deno.listen({ hostname, port: 0 }));
      assertEquals(how, "EADDRNOTAVAIL");
      await failureOf(() => connects(LAB.server6, PORTS.echo, 3_000));
    },
    prevented: dials(NAME),
  },
  {
    id: "v4-conflict",
    inject: async (lab) => {
      await lab.sh("router", `ip addr add ${LAB.client4}/32 dev lan`);
      await lab.sh("client", "ip neigh flush all");
    },
    plain: hangs(LAB.server4, 3_000),
    prevented: async () => {
      await dials(NAME)();
      const target = { hostname: LAB.server4, port: PORTS.echo };
      const { causes } = await diagnose({ target, portalUrl: false });
      assertEquals(causes[0]?.id, "address-conflict");
    },
  },
  {
    id: "arp-unresolved",
    plain: async () => {
      const how = await failureOf(() => connects("10.66.1.50", 7, 20_000));
      assertEquals(how, "EHOSTUNREACH");
    },
    prevented: async () => {
      const first = { hostname: "10.66.1.51", port: 7 };
      const conn = await dial([first, FOUR], { deadlineMs: 2_500 });
      assertEquals(conn.remoteAddr.hostname, LAB.server4);
      conn.close();
    },
  },
  {
    id: "arp-late",
    inject: async (lab) => {
      await lab.sh("router", "ip link set lan arp off");
      await lab.sh("client", "ip neigh flush all");
      void later(2_000, () => lab.sh("router", "ip link set lan arp on"));
    },
    plain: hangs(LAB.server4, 1_000),
    prevented: waits(FOUR),
  },
  {
    id: "arp-stale-gateway",
    inject: (lab) =>
      lab.sh(
        "client",
        `ip neigh replace ${LAB.gateway4} lladdr 02:00:00:00:00:01 dev cl nud stale`,
      ),
    plain: hangs(LAB.server4, 3_000),
    prevented: dials(FOUR, { deadlineMs: 30_000, attemptMs: 30_000 }),
  },
  {
    id: "link-down-new",
    inject: async (lab) => {
      await lab.sh("client", "ip link set cl down");
      void later(600, () =>
        lab.sh(
          "client",
          `ip link set cl up; ip route replace default via ${LAB.gateway4} dev cl`,
        ));
    },
    plain: async () => {
      const how = await failureOf(() =>
        connects(LAB.server4, PORTS.echo, 9_000)
      );
      assertEquals(how, "ENETUNREACH");
      Deno.listen({ hostname: "0.0.0.0", port: 0 }).close();
      await later(1_000, () => {});
    },
    prevented: waits(FOUR),
  },
  {
    id: "route-removed-new",
    inject: async (lab) => {
      await lab.sh("client", "ip route del default");
      void later(
        600,
        () =>
          lab.sh(
            "client",
            `ip route replace default via ${LAB.gateway4} dev cl`,
          ),
      );
    },
    plain: async () => {
      const how = await failureOf(() =>
        connects(LAB.server4, PORTS.echo, 9_000)
      );
      assertEquals(how, "ENETUNREACH");
      await later(1_000, () => {});
    },
    prevented: waits(FOUR),
  },
  {
    id: "kill-switch-route",
    inject: async (lab) => {
      await lab.sh("client", "ip route add blackhole 10.66.2.0/24");
      void later(
        800,
        () => lab.sh("client", "ip route del blackhole 10.66.2.0/24 || true"),
      );
    },
    plain: async () => {
      const error = await Deno.connect(FOUR).catch((error) => error);
      // By its class it would be a mistake of the program.
      assert(error instanceof TypeError, `${error}`);
      await later(1_000, () => {});
    },
    prevented: async () => {
      (await retry(() => Deno.connect(FOUR), { firstMs: 300 })).close();
    },
  },
  {
    id: "icmp-reject",
    inject: async (lab) => {
      const rule =
        "FORWARD -p tcp --dport 7000 -j REJECT --reject-with icmp-host-unreachable";
      await lab.sh("router", `iptables -A ${rule}`);
      void later(800, () => lab.sh("router", `iptables -D ${rule} || true`));
    },
    plain: async () => {
      const how = await failureOf(() =>
        connects(LAB.server4, PORTS.echo, 9_000)
      );
      assertEquals(how, "EHOSTUNREACH");
      await later(1_000, () => {});
    },
    prevented: async () => {
      (await retry(() => Deno.connect(FOUR), { firstMs: 300 })).close();
    },
  },
  {
    id: "v6-broken-dual",
    inject: (lab) => lab.sh("router", "ip6tables -P FORWARD DROP"),
    plain: async () => {
      // Every time anew, IPv4 begins when IPv6 has had its head start in vain.
      for (let i = 0; i < 4; i++) {
        const conn = await Deno.connect(NAME);
        assertEquals(conn.remoteAddr.hostname, LAB.server4);
        conn.close();
      }
    },
    prevented: async () => {
      const memory = familyMemory();
      for (let i = 0; i < 3; i++) {
        (await dial(NAME, { memory })).close();
      }
      assertEquals(memory.first(performance.now()), "v4");
      // Begun last, there first: it does not wait for IPv6 any more.
      const order: string[] = [];
      const plain = Deno.connect(NAME).then((conn) => {
        order.push("plain");
        conn.close();
      });
      const ours = dial(NAME, { memory }).then((conn) => {
        order.push("dial");
        conn.close();
      });
      await Promise.all([plain, ours]);
      assertEquals(order, ["dial", "plain"]);
    },
  },
  {
    id: "v6-disabled",
    inject: (lab) =>
      lab.sh("client", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"),
    plain: async () => {
      const how = await failureOf(() =>
        connects(LAB.server6, PORTS.echo, 9_000)
      );
      assert(["EADDRNOTAVAIL", "ENETUNREACH"].includes(how), how);
      Deno.listen({ hostname: "::", port: 0 }).close();
    },
    prevented: dials(NAME),
  },
  {
    id: "multihome-dead-uplink",
    inject: (lab) =>
      lab.sh(
        "client",
        `ip link add dead type veth peer name end
         ip link set end up; ip link set dead up
         ip addr add 10.88.0.2/24 dev dead
         ip neigh add 10.88.0.1 lladdr 02:00:00:00:00:02 dev dead
         ip route del default
         ip route add default via ${LAB.gateway4} dev cl metric 100
         ip route add default via 10.88.0.1 dev dead metric 10
         ip route add default via ${LAB.gateway4} dev cl table 66
         ip rule add from ${LAB.client4} table 66`,
      ),
    plain: hangs(LAB.server4, 2_000),
    prevented: async () => {
      const uplinks = ["10.88.0.2", LAB.client4]
        .map((localAddress) => ({ ...FOUR, localAddress }));
      const conn = await dial(uplinks, { connect: connectFrom });
      assertEquals(conn.socket.localAddress, LAB.client4);
      conn.close();
    },
  },
];
