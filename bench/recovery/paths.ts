/** Paths that die, flap, lose and cannot be named: ours beside plain Deno. */
import { dial, familyMemory, watchLiveness } from "@holdfast/recovery";
import { LAB, type Lab, PORTS } from "@holdfast/testkit/lab";
import { type Part, percentile, round, timed } from "./numbers.ts";

/** What plain Deno is given before it is left: it takes minutes. */
const CAP_MS = 12_000;
const FOUR = { hostname: LAB.server4, port: PORTS.echo };
const SIX = { hostname: LAB.server6, port: PORTS.echo };
const BYTE = new Uint8Array([1]);

/** From the moment in which the path swallows packets to the verdict. */
export async function deadPath(lab: Lab, rounds: number): Promise<Part> {
  const ours: number[] = [];
  let plain = 0;
  for (let i = 0; i <= rounds; i++) {
    using conn = await Deno.connect(FOUR);
    await conn.write(BYTE);
    await conn.read(new Uint8Array(1));
    await lab.sh("router", "iptables -P FORWARD DROP");
    const from = performance.now();
    if (i === rounds) {
      await conn.write(BYTE);
      const reading = conn.read(new Uint8Array(1)).catch(() => {});
      plain = await timed(
        (signal) => Promise.race([reading, aborted(signal)]),
        CAP_MS,
      );
    } else {
      await using liveness = watchLiveness(conn);
      const dead = liveness.once("path-dead");
      await conn.write(BYTE);
      await dead;
      ours.push(performance.now() - from);
    }
    await lab.sh("router", "iptables -P FORWARD ACCEPT");
  }
  return {
    figures: {
      dead_path_ms: percentile(ours, 50),
      dead_path_ms_p99: percentile(ours, 99),
    },
    peers: { plain_dead_path_ms_at_least: round(plain) },
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason))
  );
}

/** From an IPv6 link that comes up, its address checked, to a connection. */
export async function flaps(lab: Lab, rounds: number): Promise<Part> {
  const flap = () =>
    lab.sh(
      "client",
      `ip link set cl down
       echo 1 > /proc/sys/net/ipv6/conf/cl/dad_transmits
       ip link set cl up
       ip addr add ${LAB.client6}/64 dev cl
       ip -6 route replace default via ${LAB.gateway6} dev cl`,
    );
  const ours: number[] = [];
  const usable: number[] = [];
  await using checked = addressChecked();
  for (let i = 0; i < rounds; i++) {
    await flap();
    const from = performance.now();
    const over = checked.next();
    ours.push(
      await timed(async (signal) => {
        const memory = familyMemory();
        (await dial(SIX, { memory, signal, deadlineMs: CAP_MS })).close();
      }, CAP_MS),
    );
    usable.push(await over - from);
  }
  await flap();
  const plain = await timed(async (signal) => {
    (await Deno.connect({ ...SIX, signal })).close();
  }, CAP_MS);
  const after = ours.map((ms, i) => Math.max(0, ms - usable[i]!));
  return {
    figures: {
      flap_v6_ms_p50: percentile(ours, 50),
      flap_v6_ms_p99: percentile(ours, 99),
      flap_v6_after_kernel_ms_p50: percentile(after, 50),
      flap_v6_after_kernel_ms_p99: percentile(after, 99),
    },
    peers: {
      kernel_usable_ms_p50: percentile(usable, 50),
      kernel_usable_ms_p99: percentile(usable, 99),
      plain_flap_v6_ms_at_least: round(plain),
    },
  };
}

/**
 * When the kernel says that the client's IPv6 address is no duplicate: it waits
 * a random second (RFC 4861 §6.3.7), then one more for objections (RFC 4862
 * §5.4). Nothing can be sent from it before.
 */
function addressChecked(): AsyncDisposable & { next(): Promise<number> } {
  const monitor = new Deno.Command("ip", {
    args: ["-6", "-o", "monitor", "address", "dev", "cl"],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let told = Promise.withResolvers<number>();
  const reading = (async () => {
    for await (
      const text of monitor.stdout.pipeThrough(new TextDecoderStream())
    ) {
      const found = text.split("\n").some((line) =>
        line.includes(LAB.client6) && !line.includes("tentative") &&
        !line.startsWith("Deleted")
      );
      if (found) told.resolve(performance.now());
    }
  })();
  return {
    next() {
      told = Promise.withResolvers();
      return told.promise;
    },
    async [Symbol.asyncDispose]() {
      monitor.kill();
      await reading;
    },
  };
}

/** Connections while three of ten packets are lost each way. */
export async function dialAtLoss(lab: Lab, count: number): Promise<Part> {
  const lose = "-m statistic --mode random --probability 0.3 -j DROP";
  await lab.sh(
    "router",
    `iptables -A FORWARD -p tcp --dport ${PORTS.echo} ${lose}
     iptables -A FORWARD -p tcp --sport ${PORTS.echo} ${lose}`,
  );
  const run = async (
    open: (signal: AbortSignal) => Promise<Deno.Conn>,
  ): Promise<number[]> => {
    const times: number[] = [];
    const lanes = Array.from({ length: 10 }, async () => {
      for (let i = 0; i < count / 10; i++) {
        const ms = await timed(async (signal) => {
          (await open(signal)).close();
        }, 60_000);
        times.push(ms);
      }
    });
    await Promise.all(lanes);
    return times;
  };
  const ours = await run((signal) =>
    dial(FOUR, { signal, deadlineMs: 60_000, memory: familyMemory() })
  );
  const plain = await run((signal) => Deno.connect({ ...FOUR, signal }));
  return {
    figures: {
      dial_30loss_ms_p50: percentile(ours, 50),
      dial_30loss_ms_p99: percentile(ours, 99),
    },
    peers: {
      plain_30loss_ms_p50: percentile(plain, 50),
      plain_30loss_ms_p99: percentile(plain, 99),
    },
  };
}

/** Names while the first server is dead, or questions for AAAA are swallowed. */
export async function names(lab: Lab, rounds: number): Promise<Part> {
  const measure = async (name: (i: number) => string) => {
    const ours: number[] = [];
    for (let i = 0; i < rounds; i++) {
      ours.push(
        await timed(async (signal) => {
          const target = { hostname: name(i), port: PORTS.echo };
          (await dial(target, { signal })).close();
        }, CAP_MS),
      );
    }
    const plain = await timed(async (signal) => {
      const target = { hostname: name(rounds), port: PORTS.echo };
      (await Deno.connect({ ...target, signal })).close();
    }, CAP_MS);
    return [ours, plain] as const;
  };
  const [swallowed, plainSwallowed] = await measure(() => "dropped.test");
  await lab.dns({ server: 1, silent: true });
  const [dead, plainDead] = await measure((i) => `n${i}.test`);
  return {
    figures: {
      dns_one_dead_ms_first: round(dead[0]!),
      dns_one_dead_ms_p50: percentile(dead, 50),
      aaaa_dropped_ms_p50: percentile(swallowed, 50),
    },
    peers: {
      plain_dns_one_dead_ms: round(plainDead),
      plain_aaaa_dropped_ms_at_least: round(plainSwallowed),
    },
  };
}
