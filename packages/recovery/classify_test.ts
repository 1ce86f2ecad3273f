import { assert, assertEquals } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import dgram from "node:dgram";
import net from "node:net";
import {
  byte,
  connected,
  deadPort,
  errorOf,
  fetchText,
  handshake,
  HOST,
  nodeError,
  plain,
  reset,
  sendDatagram,
  silentEnd,
  socketError,
  truncated,
  withServer,
  withTls,
} from "./testdata/real_errors.ts";
import { classify } from "./classify.ts";
import type { FailureId } from "./failure.ts";
import type { Action } from "./verdict.ts";

type Row = readonly [
  name: string,
  make: () => Promise<unknown>,
  action: Action,
  failure: FailureId | undefined,
  code: string | undefined,
];

/** Real errors, each made by the thing itself. */
const ROWS: readonly Row[] = [
  [
    "Deno.connect, nobody listens",
    () => errorOf(() => Deno.connect({ hostname: HOST, port: deadPort() })),
    "wait",
    "refused",
    "ECONNREFUSED",
  ],
  [
    "fetch, nobody listens",
    () => errorOf(() => fetchText(`http://${HOST}:${deadPort()}`)),
    "wait",
    "refused",
    "ECONNREFUSED",
  ],
  [
    "node:net, nobody listens",
    () => nodeError({ host: HOST, port: deadPort() }),
    "wait",
    "refused",
    "ECONNREFUSED",
  ],
  [
    "WebSocket, nobody listens (it does not tell)",
    () => errorOf(() => socketError(`ws://${HOST}:${deadPort()}`)),
    "wait",
    undefined,
    undefined,
  ],
  [
    "Deno.connect, a name that does not exist",
    () => errorOf(() => Deno.connect({ hostname: "nobody.invalid", port: 7 })),
    "retry-after-change",
    "dns-rcode-blind",
    undefined,
  ],
  [
    "fetch, a name that does not exist",
    () => errorOf(() => fetchText("http://nobody.invalid/")),
    "retry-after-change",
    "dns-rcode-blind",
    undefined,
  ],
  [
    "node:net, a name that does not exist",
    () => nodeError({ host: "nobody.invalid", port: 7 }),
    "retry-after-change",
    "dns-rcode-blind",
    "ENOTFOUND",
  ],
  [
    "read after the peer's reset",
    () =>
      errorOf(() =>
        withServer(reset, (port) => connected(port, (c) => c.read(byte())))
      ),
    "retry-now",
    "peer-rst",
    "ECONNRESET",
  ],
  [
    "write after the peer's reset",
    () =>
      errorOf(() =>
        withServer(reset, (port) =>
          connected(port, async (conn) => {
            await conn.read(byte()).catch(() => {});
            await conn.write(byte());
          }))
      ),
    "retry-now",
    "peer-rst",
    "EPIPE",
  ],
  [
    "fetch, reset in the middle",
    () =>
      errorOf(() =>
        withServer(reset, (port) => fetchText(`http://${HOST}:${port}`))
      ),
    "retry-now",
    "peer-rst",
    "ECONNRESET",
  ],
  [
    "node:net, reset",
    () => withServer(reset, (port) => nodeError({ host: HOST, port })),
    "retry-now",
    "peer-rst",
    "ECONNRESET",
  ],
  [
    "TLS, reset in the handshake",
    () => errorOf(() => withServer(reset, handshake)),
    "retry-now",
    "peer-rst",
    "ECONNRESET",
  ],
  [
    "fetch, closed before the answer",
    () =>
      errorOf(() =>
        withServer(silentEnd, (port) => fetchText(`http://${HOST}:${port}`))
      ),
    "retry-now",
    "server-restart-pool",
    undefined,
  ],
  [
    "fetch, truncated body",
    () =>
      errorOf(() =>
        withServer(truncated, (port) => fetchText(`http://${HOST}:${port}`))
      ),
    "retry-now",
    "peer-rst",
    undefined,
  ],
  [
    "TLS against plain text",
    () => errorOf(() => withServer(plain, handshake)),
    "give-up",
    "wrong-protocol",
    undefined,
  ],
  [
    "fetch https against plain text",
    () =>
      errorOf(() =>
        withServer(plain, (port) => fetchText(`https://${HOST}:${port}`))
      ),
    "give-up",
    "wrong-protocol",
    undefined,
  ],
  [
    "fetch http against something else",
    () =>
      errorOf(() =>
        withServer(plain, (port) => fetchText(`http://${HOST}:${port}`))
      ),
    "give-up",
    "wrong-protocol",
    undefined,
  ],
  [
    "Deno.connectTls, nobody listens",
    () => errorOf(() => Deno.connectTls({ hostname: HOST, port: deadPort() })),
    "wait",
    "refused",
    "ECONNREFUSED",
  ],
  [
    "Deno.connectTls, a name that does not exist",
    () =>
      errorOf(() => Deno.connectTls({ hostname: "nobody.invalid", port: 7 })),
    "retry-after-change",
    "dns-rcode-blind",
    undefined,
  ],
  [
    "TLS, a certificate that nobody vouches for",
    () => errorOf(() => withTls("cert.pem", (port) => handshake(port))),
    "give-up",
    "tls-intercept",
    undefined,
  ],
  [
    "fetch, a certificate that nobody vouches for",
    () =>
      errorOf(() =>
        withTls("cert.pem", (port) => fetchText(`https://${HOST}:${port}/`))
      ),
    "give-up",
    "tls-intercept",
    undefined,
  ],
  [
    "WebSocket, not a WebSocket server",
    () =>
      errorOf(() =>
        withServer(plain, (port) => socketError(`ws://${HOST}:${port}`))
      ),
    "give-up",
    "wrong-protocol",
    undefined,
  ],
  [
    "WebSocket, cut after the handshake (only the close tells)",
    () =>
      errorOf(() => withServer(reset, (p) => socketError(`ws://${HOST}:${p}`))),
    "wait",
    undefined,
    undefined,
  ],
  [
    "WebSocket, impossible URL",
    () => errorOf(() => new WebSocket("nowhere://x y")),
    "bug",
    undefined,
    undefined,
  ],
  [
    "node:dgram, too big",
    () => errorOf(() => sendDatagram(new Uint8Array(70_000))),
    "bug",
    "datagram-too-big",
    "EMSGSIZE",
  ],
  [
    "node:dgram, port taken",
    () =>
      errorOf(async () => {
        const first = dgram.createSocket("udp4");
        await new Promise<void>((resolve) => first.bind(0, HOST, resolve));
        const { port } = first.address();
        const second = dgram.createSocket("udp4");
        try {
          await new Promise((resolve, reject) => {
            second.once("error", reject);
            second.bind(port, HOST, () => resolve("bound"));
          });
        } finally {
          first.close();
        }
      }),
    "wait",
    "port-taken",
    "EADDRINUSE",
  ],
  [
    "Deno.connect, aborted",
    () =>
      errorOf(() =>
        Deno.connect({ hostname: HOST, port: 7, signal: AbortSignal.abort() })
      ),
    "give-up",
    undefined,
    undefined,
  ],
  [
    "fetch, aborted with a string",
    () =>
      errorOf(() =>
        fetch(`http://${HOST}:7007`, { signal: AbortSignal.abort("enough") })
      ),
    "give-up",
    undefined,
    undefined,
  ],
  [
    "a time-out by signal",
    () =>
      errorOf(() =>
        new Promise((_, reject) => {
          const signal = AbortSignal.timeout(5);
          signal.onabort = () => reject(signal.reason);
        })
      ),
    "wait",
    "syn-blackhole",
    undefined,
  ],
  [
    "Deno.listen, port taken",
    () =>
      errorOf(() => {
        using one = Deno.listen({ hostname: HOST, port: 0 });
        Deno.listen({ hostname: HOST, port: one.addr.port });
      }),
    "wait",
    "port-taken",
    "EADDRINUSE",
  ],
  [
    "node:net listen, port taken",
    () =>
      errorOf(async () => {
        using one = Deno.listen({ hostname: HOST, port: 0 });
        await new Promise((_, reject) => {
          net.createServer().once("error", reject)
            .listen(one.addr.port, HOST);
        });
      }),
    "wait",
    "port-taken",
    "EADDRINUSE",
  ],
  [
    "accept, listener closed meanwhile",
    () =>
      errorOf(() => {
        const listener = Deno.listen({ hostname: HOST, port: 0 });
        const accepting = listener.accept();
        listener.close();
        return accepting;
      }),
    "give-up",
    undefined,
    undefined,
  ],
  [
    "read, after own close",
    () =>
      errorOf(() =>
        withServer((s) => s.resume(), async (port) => {
          const conn = await Deno.connect({ hostname: HOST, port });
          conn.close();
          await conn.read(byte());
        })
      ),
    "bug",
    "used-after-close",
    undefined,
  ],
  [
    "read, while own close",
    () =>
      errorOf(() =>
        withServer((s) => s.resume(), async (port) => {
          const conn = await Deno.connect({ hostname: HOST, port });
          const reading = conn.read(byte());
          conn.close();
          await reading;
        })
      ),
    "give-up",
    undefined,
    "EINTR",
  ],
  [
    "Deno.connect, impossible port",
    () => errorOf(() => Deno.connect({ hostname: HOST, port: 70_000 })),
    "bug",
    undefined,
    undefined,
  ],
  [
    "fetch, impossible URL",
    () => errorOf(() => fetch("http://")),
    "bug",
    undefined,
    undefined,
  ],
  [
    "fetch, port blocked by the standard",
    () => errorOf(() => fetch(`http://${HOST}:9/`)),
    "bug",
    undefined,
    undefined,
  ],
];

for (const [name, make, action, failure, code] of ROWS) {
  // Resets, texts and resolver answers are those of Linux; the tables of other
  // systems are tested by number in errno_test.ts.
  testWith({
    name: `classify: ${name}`,
    needs: ["linux"],
    fn: async () => {
      const error = await make();
      const verdict = classify(error);
      assertEquals(
        { ...verdict, why: "" },
        { action, failure, code, why: "" },
        Deno.inspect(error),
      );
      assert(verdict.why !== "");
    },
  });
}

Deno.test("classify: a missing permission, in a real process", async () => {
  const source = `
    import { classify } from ${
    JSON.stringify(import.meta.resolve("./classify.ts"))
  };
    import dgram from "node:dgram";
import net from "node:net";
    const told = [];
    const tell = (error) => told.push(classify(error).failure);
    await Deno.connect({ hostname: "127.0.0.1", port: 7 }).catch(tell);
    await fetch("http://127.0.0.1:7007").catch(tell);
    await new Promise((resolve) => {
      const tellNode = (error) => resolve(tell(error));
      try {
        net.connect(7, "127.0.0.1").once("error", tellNode);
      } catch (error) {
        tellNode(error);
      }
    });
    console.log(told.join());
  `;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // A data URL: `deno eval` would have every permission.
    args: [
      "run",
      "--no-prompt",
      `--allow-import`,
      `data:text/javascript,${encodeURIComponent(source)}`,
    ],
  }).output();
  const decoder = new TextDecoder();
  assertEquals(
    decoder.decode(stdout).trim(),
    "permission-missing,permission-missing,permission-missing",
    decoder.decode(stderr),
  );
});

testWith({
  name: "classify: what the kernel says of routes that forbid, and of silence",
  needs: ["netns", "sh"],
  fn: async () => {
    const script = new URL("./testdata/in_netns.ts", import.meta.url).pathname;
    const setup = `
      ip link set lo up
      ip link add v0 type veth peer name v1
      ip addr add 10.77.0.1/24 dev v0
      ip link set v0 up
      ip link set v1 up
      ip route add blackhole 10.78.1.0/24
      ip route add unreachable 10.78.2.0/24
      ip route add prohibit 10.78.3.0/24
      ip route add throw 10.78.4.0/24
      exec "$0" run --quiet --allow-net "$1"`;
    const { success, stdout, stderr } = await new Deno.Command("unshare", {
      args: ["-Urn", "sh", "-ec", setup, Deno.execPath(), script],
    }).output();
    const decoder = new TextDecoder();
    assert(success, decoder.decode(stderr));
    const told = decoder.decode(stdout).trim().split("\n")
      .map((line) => JSON.parse(line))
      .map(({ name, ok, kind, action, failure, code }) =>
        ok ? `${name}: ok` : `${name}: ${kind} ${action} ${failure} ${code}`
      );
    const ways = {
      "blackhole": "retry-after-change kill-switch-route EINVAL",
      "unreachable": "retry-after-change arp-unresolved EHOSTUNREACH",
      "prohibit": "retry-after-change kill-switch-route EACCES",
      "throw": "retry-after-change route-removed-new ENETUNREACH",
      "no-route": "retry-after-change route-removed-new ENETUNREACH",
    };
    assertEquals(
      told.slice(0, 25).map((line) => line.replace(/: \w+ /, ": ")),
      Object.entries(ways).flatMap(([way, verdict]) => [
        `${way} connect: ${verdict}`,
        `${way} connectTls: ${verdict}`,
        `${way} fetch: ${verdict}`,
        `${way} node:net: ${verdict}`,
        // It tells nothing, whichever the reason.
        `${way} node:dgram: wait undefined UNKNOWN`,
      ]),
    );
    assertEquals(told.slice(25), [
      "absent-address: AddrNotAvailable wait dad-tentative-bind EADDRNOTAVAIL",
      "silent-deadline: TimeoutError wait syn-blackhole undefined",
      "silent-then-good: ok",
    ]);
  },
});
