/** Faults of connections and datagrams. */
import { assert, assertEquals } from "@std/assert";
import { LAB, type Lab, PORTS } from "@holdfast/testkit/lab";
import dgram from "node:dgram";
import { dial, latched, retry, watchLiveness, writeAll } from "../../mod.ts";
import { checkPathMtu } from "../../network_checks.ts";
import {
  child,
  connects,
  failureOf,
  type Fault,
  firstLine,
  later,
  pair,
  settles,
} from "./fault.ts";

const FOUR = { hostname: LAB.server4, port: PORTS.echo };
const BYTE = new Uint8Array([1]);

/** An open connection, cut in silence: plain waits, the watch says so. */
function established(
  id: Fault["id"],
  cut: (lab: Lab) => Promise<unknown>,
  options: { readonly pause?: boolean } = {},
): Fault {
  const open = async (lab: Lab): Promise<Deno.TcpConn> => {
    const conn = await Deno.connect(FOUR);
    await conn.write(BYTE);
    await conn.read(new Uint8Array(1));
    await cut(lab);
    return conn;
  };
  return {
    id,
    plain: async (lab) => {
      using conn = await open(lab);
      const reading = conn.read(new Uint8Array(1));
      assertEquals(await conn.write(BYTE), 1, "the write was not taken");
      assertEquals(await settles(reading, 2_500), false, "the read ended");
    },
    prevented: async (lab) => {
      using conn = await open(lab);
      const answered = Promise.withResolvers<void>();
      await using liveness = watchLiveness(conn, {
        // With data under way the kernel's word is enough.
        ...(options.pause && {
          heartbeat: () => conn.write(BYTE).then(() => answered.promise),
          heartbeatMs: 300,
        }),
      });
      const dead = liveness.once("path-dead");
      if (!options.pause) await conn.write(BYTE);
      const { reason } = await dead;
      assert(["unacknowledged", "heartbeat-missed"].includes(reason));
      answered.resolve();
    },
  };
}

export const TCP_FAULTS: readonly Fault[] = [
  {
    id: "refused",
    plain: async () => {
      // What a loop without waits does in a third of a second.
      const until = performance.now() + 300;
      let attempts = 0;
      while (performance.now() < until) {
        attempts++;
        await failureOf(() => connects("127.0.0.1", PORTS.dead, 1_000));
      }
      assert(attempts > 50, `${attempts}`);
    },
    prevented: async () => {
      let attempts = 0;
      const hostname = "127.0.0.1";
      await failureOf(() =>
        retry(() => {
          attempts++;
          return Deno.connect({ hostname, port: PORTS.dead });
        }, { deadlineMs: 300, floor: 0.5 })
      );
      assert(attempts <= 5, `${attempts}`);
    },
  },
  {
    id: "syn-blackhole",
    inject: (lab) =>
      lab.sh("router", "iptables -A FORWARD -p tcp --dport 7000 -j DROP"),
    plain: async () => {
      const abort = new AbortController();
      const trying = Deno.connect({ ...FOUR, signal: abort.signal });
      assertEquals(await settles(trying, 3_000), false, "it ended");
      abort.abort();
      await trying.catch(() => {});
    },
    prevented: async () => {
      assertEquals(
        await failureOf(() => dial(FOUR, { deadlineMs: 500 })),
        "TimeoutError",
      );
      const other = { ...FOUR, port: PORTS.hello };
      (await dial([FOUR, other], { deadlineMs: 5_000 })).close();
    },
  },
  {
    id: "syn-loss",
    inject: (lab) =>
      // The first SYN to each of two ports is lost.
      lab.sh(
        "router",
        [PORTS.echo, PORTS.hello].map((port) =>
          `iptables -A FORWARD -p tcp --syn --dport ${port} -m statistic --mode nth --every 1000000 --packet 0 -j DROP`
        ).join("\n"),
      ),
    plain: async () => {
      const trying = Deno.connect(FOUR);
      assertEquals(await settles(trying, 700), false, "it was not lost");
      (await trying).close();
    },
    prevented: async () => {
      const order: string[] = [];
      const plain = Deno.connect(FOUR).then((conn) => {
        order.push("plain");
        conn.close();
      });
      const ours = dial({ ...FOUR, port: PORTS.hello }).then((conn) => {
        order.push("dial");
        conn.close();
      });
      await Promise.all([plain, ours]);
      assertEquals(order, ["dial", "plain"]);
    },
  },
  established(
    "link-down-est",
    (lab) => lab.sh("client", "ip link set cl down"),
  ),
  established(
    "addr-removed-est",
    (lab) => lab.sh("client", `ip addr del ${LAB.client4}/24 dev cl`),
  ),
  established("addr-replaced-est", (lab) =>
    lab.sh(
      "client",
      `ip addr del ${LAB.client4}/24 dev cl
       ip addr add 10.66.1.9/24 dev cl
       ip route replace default via ${LAB.gateway4} dev cl`,
    )),
  established(
    "route-removed-est",
    (lab) => lab.sh("client", "ip route del default"),
  ),
  established("peer-gone", (lab) => lab.sh("server", "ip link set srv down")),
  established(
    "path-blackhole-est",
    (lab) => lab.sh("router", "iptables -P FORWARD DROP"),
  ),
  established(
    "nat-state-lost",
    // A router that forgets, and lets only what it knows through.
    (lab) =>
      lab.sh(
        "router",
        `echo 0 > /proc/sys/net/netfilter/nf_conntrack_tcp_loose
         iptables -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT
         iptables -A FORWARD -m conntrack --ctstate NEW -p tcp --syn -j ACCEPT
         iptables -A FORWARD -p tcp -j DROP
         conntrack -F`,
      ),
    { pause: true },
  ),
  {
    id: "peer-rst",
    plain: async () => {
      using conn = await Deno.connect({ ...FOUR, port: PORTS.reset });
      assertEquals(await afterReset(conn), null, "it is told as a reset");
    },
    prevented: async () => {
      using conn = latched(await Deno.connect({ ...FOUR, port: PORTS.reset }));
      assert(await afterReset(conn) instanceof Error);
    },
  },
  {
    id: "half-close",
    plain: async () => {
      using conn = await Deno.connect({ ...FOUR, port: PORTS.half });
      assertEquals(await conn.read(new Uint8Array(1)), null);
      assertEquals(await conn.write(BYTE), 1);
    },
    prevented: async () => {
      using conn = latched(await Deno.connect({ ...FOUR, port: PORTS.half }));
      assertEquals(await conn.read(new Uint8Array(1)), null);
      assertEquals(
        await failureOf(() => conn.write(BYTE)),
        "recovery/peer-ended",
      );
    },
  },
  {
    id: "close-unread",
    plain: async () => {
      using conn = await Deno.connect({ ...FOUR, port: PORTS.unread });
      await conn.write(new Uint8Array(100_000));
      await later(100, () => {});
      const how = await failureOf(async () => {
        for (let i = 0; i < 10; i++) {
          await conn.write(BYTE);
          await later(5, () => {});
        }
      });
      assert(["ECONNRESET", "EPIPE"].includes(how), how);
    },
    prevented: async () => {
      const [conn, other] = await pair();
      const [client, server] = [latched(conn), latched(other)];
      await client.write(new Uint8Array(100_000));
      await server.read(BYTE.slice());
      await server.write(new TextEncoder().encode("ok"));
      const ended = server.finish();
      assertEquals(await client.read(new Uint8Array(9)), 2);
      assertEquals([await client.finish(), await ended], [true, true]);
    },
  },
  {
    id: "short-write",
    plain: async () => {
      const [conn, other] = await pair();
      const count = await conn.write(new Uint8Array(64 << 20));
      assert(count < 64 << 20, "all was taken at once");
      conn.close();
      other.close();
    },
    prevented: async () => {
      const [conn, other] = await pair();
      let got = 0;
      const reading = (async () => {
        for await (const chunk of other.readable) got += chunk.length;
      })();
      await writeAll(conn, new Uint8Array(64 << 20));
      conn.close();
      await reading;
      assertEquals(got, 64 << 20);
    },
  },
  {
    id: "peer-frozen",
    plain: async () => {
      await using frozen = await frozenServer();
      using conn = await Deno.connect({
        hostname: "127.0.0.1",
        port: frozen.port,
      });
      await conn.write(BYTE);
      const reading = conn.read(new Uint8Array(1));
      assertEquals(await settles(reading, 1_000), false, "it answered");
    },
    prevented: async () => {
      await using frozen = await frozenServer();
      const proof = async (conn: Deno.Conn) => {
        await conn.write(BYTE);
        await conn.read(new Uint8Array(1));
      };
      const first = { hostname: "127.0.0.1", port: frozen.port };
      const conn = await dial([first, FOUR], { proof });
      assertEquals(conn.remoteAddr.port, PORTS.echo);
      conn.close();
    },
  },
  {
    id: "slow-reader",
    plain: async () => {
      const conn = await Deno.connect({ ...FOUR, port: PORTS.sink });
      const writing = (async () => {
        for (;;) await conn.write(new Uint8Array(1 << 20));
      })();
      assertEquals(await settles(writing, 1_500), false, "it ended");
      conn.close();
      await writing.catch(() => {});
    },
    prevented: async () => {
      using conn = await Deno.connect({ ...FOUR, port: PORTS.sink });
      const how = await failureOf(() =>
        writeAll(conn, new Uint8Array(64 << 20), { stallMs: 500 })
      );
      assertEquals(how, "recovery/write-stalled");
    },
  },
  {
    id: "mtu-blackhole",
    inject: (lab) =>
      lab.sh(
        "router",
        `ip link set wan mtu 1280
         iptables -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP`,
      ),
    plain: async () => {
      using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
      const url = `http://${LAB.server4}/`;
      await (await fetch(url, { client })).body?.cancel();
      const signal = AbortSignal.timeout(3_000);
      const body = new Uint8Array(8_000);
      const how = await failureOf(() =>
        fetch(url, { client, method: "POST", body, signal })
      );
      assertEquals(how, "TimeoutError");
    },
    prevented: async () => {
      assertEquals(await checkPathMtu(`http://${LAB.server4}/`), "black-hole");
      using conn = await Deno.connect({ ...FOUR, port: PORTS.http });
      conn.setNoDelay(true);
      const text =
        `POST / HTTP/1.1\r\nHost: lab\r\nContent-Length: 8000\r\n\r\n`;
      await writeAll(conn, new TextEncoder().encode(text + "x".repeat(8_000)), {
        pieceBytes: 1_000,
      });
      const count = await conn.read(new Uint8Array(100));
      assert(count !== null && count > 0);
    },
  },
  {
    id: "udp-port-unreach",
    plain: async () => {
      const { socket, heard } = await datagrams();
      assertEquals(await settles(heard, 800), false, "something was told");
      socket.close();
    },
    prevented: async () => {
      const { socket, heard } = await datagrams();
      const addresses = {
        localAddr: { transport: "udp", hostname: LAB.client4, port: 1 },
        remoteAddr: { transport: "udp", hostname: LAB.server4, port: 9 },
      } as const;
      await using liveness = watchLiveness(addresses, {
        ...{ heartbeat: () => heard, heartbeatMs: 100, deadlineMs: 500 },
      });
      const { reason } = await liveness.once("path-dead");
      assertEquals(reason, "heartbeat-missed");
      socket.close();
    },
  },
  {
    id: "local-fw-udp",
    inject: async (lab) => {
      await lab.sh("client", "iptables -A OUTPUT -o cl -j DROP");
      void later(
        600,
        () => lab.sh("client", "iptables -D OUTPUT -o cl -j DROP || true"),
      );
    },
    plain: async () => {
      const error = await send(BYTE).catch((error) => error);
      // Nothing in it says that a firewall did it.
      assertEquals((error as { code: string }).code, "UNKNOWN");
      await later(800, () => {});
    },
    prevented: () => retry(() => send(BYTE), { firstMs: 300 }),
  },
  {
    id: "datagram-too-big",
    plain: async () => {
      const how = await failureOf(() => send(new Uint8Array(70_000)));
      assertEquals(how, "EMSGSIZE");
    },
    prevented: async () => {
      let attempts = 0;
      const how = await failureOf(() =>
        retry(() => {
          attempts++;
          return send(new Uint8Array(70_000));
        })
      );
      assertEquals([how, attempts], ["EMSGSIZE", 1]);
      await send(new Uint8Array(1_200));
    },
  },
];

/** Provokes a reset that a write meets; then what the next read says. */
async function afterReset(
  conn: Pick<Deno.Conn, "read" | "write">,
): Promise<unknown> {
  await conn.write(BYTE);
  for (;;) {
    await later(5, () => {});
    try {
      await conn.write(BYTE);
    } catch {
      return await conn.read(new Uint8Array(1)).catch((error) => error);
    }
  }
}

/** A server that was stopped: its kernel goes on accepting. */
async function frozenServer(): Promise<{ port: number } & AsyncDisposable> {
  const process = child(`
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    console.log(listener.addr.port);
    for await (const conn of listener) conn.readable.pipeTo(conn.writable);
  `);
  const port = Number(await firstLine(process));
  process.kill("SIGSTOP");
  return {
    port,
    async [Symbol.asyncDispose]() {
      process.kill("SIGKILL");
      await process.status;
    },
  };
}

/** Sends to a port where nobody listens; `heard` settles if that is told. */
async function datagrams() {
  const socket = dgram.createSocket("udp4");
  const heard = new Promise<void>((resolve) => {
    socket.on("error", () => resolve());
    socket.on("message", () => resolve());
  });
  await new Promise<void>((resolve) => socket.bind(0, () => resolve()));
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) =>
      socket.send(BYTE, PORTS.dead, LAB.server4, resolve)
    );
  }
  return { socket, heard };
}

async function send(bytes: Uint8Array): Promise<void> {
  const socket = dgram.createSocket("udp4");
  try {
    await new Promise<void>((resolve) => socket.bind(0, () => resolve()));
    await new Promise<void>((resolve, reject) =>
      socket.send(bytes, PORTS.dead, LAB.server4, (error) => {
        if (error) reject(error);
        else resolve();
      })
    );
  } finally {
    socket.close();
  }
}
