// deno-lint-ignore-file no-console -- a command-line program
/**
 * A tunnel beside a plain forwarder of two hops, and beside `ssh -L`.
 *
 *     deno task bench:tunnel           # about a minute
 *     deno task bench:tunnel --quick   # about 15 seconds
 *
 * Tells what it finds on stderr, and ends with one JSON line on stdout;
 * docs/benchmarks.md says what each key means. Every end is a process of its
 * own. They take turns, and the ratio is the median over the rounds of ours ÷
 * the forwarder in that round.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { connectTunnel, serveTunnel } from "@holdfast/resume/tunnel";
import { CutProxy } from "@holdfast/testkit/proxy";
import { missing } from "@holdfast/testkit";
import { startSshd } from "../tests/process/_sshd.ts";
import { answers, freePort, Running } from "../tests/process/_tunnel_world.ts";
import { median, round, sleep } from "./resume/numbers.ts";
import { progress, progressOf } from "./resume/result.ts";
import { sharing } from "./tunnel/sharing.ts";

const MIB = 1024 * 1024;
const END = new URL("./tunnel/end.ts", import.meta.url).pathname;
const CUTS = 100;

function start(...args: (string | number)[]): Running {
  return new Running(Deno.execPath(), [
    ...["run", "--no-prompt", "--allow-net=127.0.0.1", "--allow-read", END],
    ...args.map(String),
  ]);
}

const portOf = async (end: Running) => Number((await end.says(/^\d+\n/))[0]);

/** Gives the port where bytes go in that come out at a port. */
type Route = (
  to: number,
  stack: AsyncDisposableStack,
) => Promise<number>;

const twoHops = (far: string, near: string): Route => async (to, stack) => {
  const second = stack.use(start(far, `127.0.0.1:${to}`));
  const first = stack.use(start(near, `127.0.0.1:${await portOf(second)}`));
  return await portOf(first);
};

const throughSsh: Route = async (to, stack) => {
  const sshd = stack.use(await startSshd());
  const port = freePort();
  stack.use(
    new Running("ssh", [
      ...["-N", "-L", `127.0.0.1:${port}:127.0.0.1:${to}`],
      ...[...sshd.options(sshd.port), "127.0.0.1"],
    ]),
  );
  await answers(port);
  return port;
};

/** Megabytes a second from a sender through a route to a sink. */
async function throughput(route: Route, bytes: number): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const sink = stack.use(start("sink", bytes));
  const port = await route(await portOf(sink), stack);
  await using sender = start("send", `127.0.0.1:${port}`, bytes);
  const [, ms] = await sink.says(/^\d+\n(?:NaN\n)*([\d.]+)\n/);
  await sender.child.status;
  return bytes / 1000 / Number(ms);
}

/** Both directions at full speed while the way is cut again and again. */
async function cuts(): Promise<{ cuts: number; lost: number; sent: number }> {
  await using proxy = await CutProxy.start();
  const loopback = { hostname: "127.0.0.1", port: 0 };
  const target = Deno.listen(loopback);
  const middle = Deno.listen(loopback);
  await using _server = serveTunnel(middle, {
    targets: [{ transport: "tcp", ...loopback, port: target.addr.port }],
  });
  proxy.forward("127.0.0.1", middle.addr.port);
  const entry = Deno.listen(loopback);
  await using tunnel = connectTunnel(
    entry,
    () => Deno.connect({ hostname: "127.0.0.1", port: proxy.port }),
    { connect: { redialMaxMs: 50 } },
  );
  const program = await Deno.connect({ ...loopback, port: entry.addr.port });
  const reached = await target.accept();
  const echoing = reached.readable.pipeTo(reached.writable);
  const numbered = (at: number) => (at * 31 + (at >>> 8)) & 0xff;
  let [sent, got, wrong, writing] = [0, 0, 0, true];
  const writer = (async () => {
    while (writing) {
      const from = sent;
      const bytes = Uint8Array.from(
        { length: 16_384 },
        (_, i) => numbered(from + i),
      );
      sent += await program.write(bytes);
    }
    await program.closeWrite();
  })();
  const reader = (async () => {
    const into = new Uint8Array(65_536);
    for (let n; (n = await program.read(into)) !== null;) {
      for (let i = 0; i < n; i++) if (into[i] !== numbered(got + i)) wrong++;
      got += n;
    }
  })();
  while (tunnel.stats().cuts < CUTS) {
    await sleep(5 + Math.random() * 30);
    proxy.cut();
  }
  writing = false;
  await Promise.all([writer, reader, echoing]);
  const { cuts: survived } = tunnel.stats();
  program.close();
  target.close();
  return { cuts: survived, lost: sent - got + wrong, sent };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { quick: { type: "boolean", default: false } },
  });
  const [rounds, bytes] = values.quick ? [3, 256 * MIB] : [9, 1024 * MIB];
  const peers = {
    forwarder: twoHops("forward", "forward"),
    tunnel: twoHops("serve", "connect"),
    ...(missing("sshd") ?? missing("ssh")) === undefined
      ? { ssh: throughSsh }
      : {},
  };
  const speeds = new Map<string, number[]>();
  for (let i = 0; i < rounds; i++) {
    const turn = Object.entries<Route>(peers);
    for (const [name, route] of i % 2 === 0 ? turn : turn.reverse()) {
      const list = speeds.get(name) ?? [];
      speeds.set(name, [...list, await throughput(route, bytes)]);
    }
  }
  for (const [name, list] of speeds) progressOf(name, list, "MB/s");
  const own = speeds.get("tunnel")!;
  const ratiosTo = (name: string) =>
    own.map((speed, i) => speed / (speeds.get(name)?.[i] ?? NaN));
  progressOf("  ratio throughput_64k", ratiosTo("forwarder"), "    ");
  const found = await cuts();
  progress(
    `${found.cuts} cuts during ${found.sent} bytes: lost ${found.lost}`,
  );
  // Infinity is no JSON: an answer that never came is null there.
  const each = await sharing(start, portOf, "serve", "connect");
  const one = await sharing(start, portOf, "serve-one", "connect-one");
  for (const [name, kind] of Object.entries({ each, one })) {
    progress(`sessions: ${name}: ${JSON.stringify(kind)}`);
  }
  const ssh = speeds.get("ssh");
  console.log(JSON.stringify({
    bench: "tunnel",
    ratios: {
      throughput_64k: round(median(ratiosTo("forwarder"))),
      ...(ssh && { throughput_64k_vs_ssh: round(median(ratiosTo("ssh"))) }),
    },
    figures: {
      throughput_mb_per_s: round(median(own)),
      cuts: found.cuts,
      lost: found.lost,
      sharing: each,
    },
    peers: {
      sharing_one_session: one,
      forwarder_mb_per_s: round(median(speeds.get("forwarder")!)),
      ...(ssh && { ssh_mb_per_s: round(median(ssh)) }),
    },
  }));
}
