/** Faults of names, certificates, proxies and HTTP. */
import { assert, assertEquals } from "@std/assert";
import net from "node:net";
import {
  CA_CERTIFICATE,
  CERTIFICATE,
  CERTIFICATE_KEY,
} from "@holdfast/testkit/certificates";
import { LAB, type Lab, PORTS } from "@holdfast/testkit/lab";
import { classify, dial, resolve, retry } from "../../mod.ts";
import { checkClock, checkPortal, checkProxies } from "../../network_checks.ts";
import { child, failureOf, type Fault, printed, settles } from "./fault.ts";

const silence = async (lab: Lab): Promise<void> => {
  for (const server of [1, 2] as const) {
    await lab.dns({ server, silent: true });
  }
};

/** Handshakes by plain Deno. */
async function handshake(hostname: string, port: number): Promise<void> {
  using conn = await Deno.connectTls({ hostname, port });
  await conn.handshake();
}

/** It is given up after one attempt, and its failure is named. */
async function givesUp(id: string, run: () => Promise<unknown>): Promise<void> {
  let attempts = 0;
  const error = await retry(() => {
    attempts++;
    return run();
  }).then(() => ({ code: "it worked", cause: undefined }), (error) => error);
  assertEquals([error.code, attempts], ["recovery/gave-up", 1]);
  assertEquals(classify(error.cause).failure, id);
}

export const NAME_FAULTS: readonly Fault[] = [
  {
    id: "dns-dead",
    inject: silence,
    plain: async () => {
      const abort = new AbortController();
      const { signal } = abort;
      const trying = Deno.connect({ hostname: "ok.test", port: 80, signal });
      assertEquals(await settles(trying, 3_000), false, "it ended");
      abort.abort();
      await trying.catch(() => {});
    },
    prevented: async (lab) => {
      // Known from before: what a program that runs has.
      await lab.restore();
      await resolve("known.test");
      await silence(lab);
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      assertEquals((await resolve("known.test")).stale, true);
      (await dial({ hostname: "known.test", port: PORTS.echo })).close();
    },
  },
  {
    id: "dns-slow-aaaa",
    plain: async () => {
      const abort = new AbortController();
      const { signal } = abort;
      const target = { hostname: "dropped.test", port: PORTS.echo };
      const trying = Deno.connect({ ...target, signal });
      assertEquals(await settles(trying, 2_000), false, "it ended");
      abort.abort();
      await trying.catch(() => {});
    },
    prevented: async () => {
      const target = { hostname: "dropped.test", port: PORTS.echo };
      (await dial(target, { deadlineMs: 2_000 })).close();
    },
  },
  {
    id: "dns-rcode-blind",
    plain: async () => {
      for (const kind of ["nx", "servfail", "refused", "empty"]) {
        const error = await Deno.resolveDns(`${kind}.test`, "A")
          .catch((error) => error);
        assert(error instanceof Deno.errors.NotFound, `${kind}: ${error}`);
      }
    },
    prevented: async () => {
      const codes: string[] = [];
      for (const kind of ["nx", "servfail", "refused", "empty"]) {
        codes.push(await failureOf(() => resolve(`${kind}.test`)));
      }
      assertEquals(new Set(codes).size, 4, codes.join());
    },
  },
  {
    id: "dns-sinkhole",
    plain: async () => {
      // It speaks with whoever listens on this host.
      using listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
      const { port } = listener.addr;
      const conn = await Deno.connect({ hostname: "sink.test", port });
      (await listener.accept()).close();
      conn.close();
    },
    prevented: async () => {
      const how = await failureOf(() => resolve("sink.test"));
      assertEquals(how, "recovery/sinkholed");
      using listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
      const { port } = listener.addr;
      const error = await dial({ hostname: "sink.test", port }, {
        ...{ deadlineMs: 500 },
      }).catch((error) => error);
      assertEquals(error.name, "TimeoutError");
    },
  },
  {
    id: "dns-pool-starved",
    inject: silence,
    plain: async () => {
      // In a program of its own: the threads stay taken.
      const process = child(`
        for (let i = 0; i < 40; i++) {
          const abort = new AbortController();
          Deno.connect({ hostname: "s" + i + ".test", port: 1, signal: abort.signal }).catch(() => {});
          setTimeout(() => abort.abort(), 50);
        }
        setTimeout(async () => {
          const reading = Deno.readTextFile("/etc/hosts").then(() => "read");
          const late = new Promise((resolve) => setTimeout(() => resolve("late"), 1500));
          console.log(await Promise.race([reading, late]));
          Deno.exit(0);
        }, 200);
      `);
      assertEquals(await printed(process), "late");
    },
    prevented: async () => {
      const { href } = new URL("../../resolve.ts", import.meta.url);
      const process = child(`
        const { resolve } = await import("${href}");
        let over = 0;
        for (let i = 0; i < 200; i++) {
          resolve("s" + i + ".test", { deadlineMs: 60000 }).catch(() => over++);
        }
        setTimeout(async () => {
          await Deno.readTextFile("/etc/hosts");
          console.log(over === 0 ? "read" : "late");
          Deno.exit(0);
        }, 200);
      `);
      assertEquals(await printed(process), "read");
    },
  },
  {
    id: "tls-intercept",
    plain: async () => {
      const { hostname, port, server } = await tlsServer();
      const error = await handshake(hostname, port).catch((error) => error);
      assert(error instanceof Deno.errors.InvalidData, `${error}`);
      await server.shutdown();
    },
    prevented: async () => {
      const { hostname, port, server } = await tlsServer();
      await givesUp("tls-intercept", () => handshake(hostname, port));
      const caCerts = [CA_CERTIFICATE];
      (await dial({ hostname, port }, { tls: { caCerts } })).close();
      await server.shutdown();
    },
  },
  {
    id: "tls-wrong-name",
    plain: async () => {
      const caCerts = [CA_CERTIFICATE];
      const tcp = await Deno.connect({
        hostname: LAB.server4,
        port: PORTS.tls,
      });
      const conn = await Deno.startTls(tcp, { hostname: "ok.test", caCerts });
      const error = await conn.handshake().catch((error) => error);
      assert(error instanceof Deno.errors.InvalidData, `${error}`);
      conn.close();
    },
    prevented: () =>
      givesUp("tls-wrong-name", async () => {
        const caCerts = [CA_CERTIFICATE];
        const tcp = await Deno.connect({
          ...{ hostname: LAB.server4, port: PORTS.tls },
        });
        using conn = await Deno.startTls(tcp, { hostname: "ok.test", caCerts });
        await conn.handshake();
      }),
  },
  {
    id: "tls-clock",
    plain: async () => {
      const said = await inAnotherCentury(`
        const tcp = await Deno.connect({ hostname: "${LAB.server4}", port: ${PORTS.tls} });
        const caCerts = [${JSON.stringify(CA_CERTIFICATE)}];
        const conn = await Deno.startTls(tcp, { hostname: "localhost", caCerts });
        console.log(await conn.handshake().then(() => "fine", (error) => error.message));
        Deno.exit(0);
      `);
      assert(/Expired|expired/.test(said), said);
    },
    prevented: async () => {
      const { href } = new URL("../../network_checks.ts", import.meta.url);
      const said = await inAnotherCentury(`
        const { checkClock } = await import("${href}");
        const ms = await checkClock("http://${LAB.server4}/");
        console.log(Math.round(ms / 86400000));
        Deno.exit(0);
      `);
      assertEquals(said, `${DAYS}`);
      // With the right time there is nothing to tell.
      const ms = await checkClock(`http://${LAB.server4}/`);
      assert(ms !== undefined && Math.abs(ms) < 60_000, `${ms}`);
    },
  },
  {
    id: "wrong-protocol",
    plain: async () => {
      const error = await handshake(LAB.server4, PORTS.http)
        .catch((error) => error);
      assert(error instanceof Deno.errors.InvalidData, `${error}`);
    },
    prevented: () =>
      givesUp("wrong-protocol", () => handshake(LAB.server4, PORTS.http)),
  },
  {
    id: "captive-portal",
    inject: (lab) =>
      lab.sh(
        "router",
        `iptables -t nat -A PREROUTING -i lan -p tcp --dport 80 -j DNAT --to ${LAB.server4}:${PORTS.portal}`,
      ),
    plain: async () => {
      const error = await fetch(`http://${LAB.server4}/data.json`)
        .catch((error) => error);
      assert(error instanceof TypeError, `${error}`);
    },
    prevented: async (lab) => {
      const url = `http://${LAB.server4}/generate_204`;
      assertEquals((await checkPortal(url)).state, "portal");
      await lab.restore();
      assertEquals((await checkPortal(url)).state, "free");
    },
  },
  {
    id: "proxy-broken",
    plain: async () => {
      const said = await printed(child(
        `console.log(await fetch("http://${LAB.server4}/").then(() => "fine", (error) => error.name)); Deno.exit(0);`,
        { env: { HTTP_PROXY: `http://${LAB.server4}:${PORTS.dead}` } },
      ));
      assertEquals(said, "TypeError");
    },
    prevented: async () => {
      const [proxy] = await checkProxies({
        HTTP_PROXY: `http://user:secret@${LAB.server4}:${PORTS.dead}`,
      });
      assertEquals(proxy?.failure?.failure, "refused");
      assert(!JSON.stringify(proxy).includes("secret"));
    },
  },
  {
    id: "server-restart-pool",
    plain: async () => {
      await using server = await closing();
      await (await fetch(server.url)).text();
      const body = new Blob(["data"]).stream();
      const error = await fetch(server.url, { method: "POST", body })
        .catch((error) => error);
      assert(error instanceof TypeError, `${error}`);
    },
    prevented: async () => {
      await using server = await closing();
      await (await fetch(server.url)).text();
      const text = await retry(async () => {
        const body = new Blob(["data"]).stream();
        return await (await fetch(server.url, { method: "POST", body })).text();
      });
      assertEquals(text, "served");
    },
  },
];

/** A TLS server on this host whose authority nobody trusts. */
function tlsServer() {
  const server = Deno.serve({
    ...{ hostname: "127.0.0.1", port: 0, onListen() {} },
    ...{
      cert: CERTIFICATE,
      key: CERTIFICATE_KEY,
      onError: () => new Response(),
    },
  }, () => new Response("hello"));
  const { port } = server.addr;
  return Promise.resolve({ hostname: "127.0.0.1", port, server });
}

/** The certificates of the lab last for a hundred years. */
const DAYS = 73_000;

/** Runs a script with the clock two hundred years on. */
async function inAnotherCentury(script: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", "faketime -f +0 sh -c 'echo $LD_PRELOAD'"],
  }).output();
  return await printed(child(script, {
    env: {
      LD_PRELOAD: new TextDecoder().decode(stdout).trim(),
      FAKETIME: `+${DAYS}d`,
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
  }));
}

/**
 * An HTTP server that closes each connection in the moment in which a second
 * request comes, as one does that restarts, or whose keep-alive has run out.
 */
async function closing() {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    let requests = 0;
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (bytes) => {
      if (!/^(GET|POST) /.test(bytes.toString("latin1"))) return;
      if (++requests > 1) return void socket.resetAndDestroy();
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nserved");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
