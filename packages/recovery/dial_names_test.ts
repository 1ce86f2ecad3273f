import { startDnsServer } from "@holdfast/testkit/dns";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { classify } from "./classify.ts";
import { dial } from "./dial.ts";
import { RecoveryError } from "./errors.ts";
import { familyMemory } from "./family_memory.ts";

const read = (name: string) =>
  Deno.readTextFile(new URL(`./testdata/${name}`, import.meta.url));
const [CERT, KEY, IDN_CERT] = await Promise.all(
  ["cert.pem", "key.pem", "idn_cert.pem"].map(read),
) as [string, string, string];

/** A server of TLS on 127.0.0.1, while `run` runs. */
async function withTls(
  { cert, key }: { readonly cert: string; readonly key: string },
  run: (port: number) => Promise<void>,
): Promise<void> {
  const listener = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    cert,
    key,
  });
  const serving = (async () => {
    for await (const conn of listener) {
      await conn.handshake().catch(() => {});
      conn.close();
    }
  })();
  await run(listener.addr.port);
  listener.close();
  await serving;
}

Deno.test("what an address said counts before what a look-up lacked", async () => {
  await using dns = await startDnsServer();
  const resolve = { servers: [dns.address], loopback: true };
  await withTls({ cert: CERT, key: KEY }, async (port) => {
    // There is no AAAA: that heals with no retry what the certificate lacks.
    const error = await assertRejects(
      () => dial({ hostname: "four.test", port }, { tls: true, resolve }),
      RecoveryError,
      "not from a trusted authority",
    );
    assertEquals(classify(error).failure, "tls-intercept");
  });
});

Deno.test("of several addresses all errors are told", async () => {
  await using dns = await startDnsServer();
  const resolve = { servers: [dns.address], loopback: true };
  await withTls({ cert: CERT, key: KEY }, async (port) => {
    const error = await assertRejects(
      () =>
        dial({ hostname: "both.test", port }, {
          ...{ tls: true, resolve, retry: () => false },
        }),
      RecoveryError,
    );
    const { message } = error.cause as AggregateError;
    // Nobody listens on ::1, and on 127.0.0.1 one who is not trusted.
    assert(/refused.*; .*UnknownIssuer/.test(message), message);
  });
});

Deno.test("a name beyond ASCII that nobody has is unknown, and no mistake", async () => {
  await using dns = await startDnsServer();
  const error = await assertRejects(() =>
    dial({ hostname: "nx.bücher.test", port: 9 }, {
      ...{ resolve: { servers: [dns.address] }, retry: () => false },
    })
  );
  assertEquals(classify(error).failure, "dns-rcode-blind");
});

Deno.test("what the system has looked up teaches nothing of families", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const memory = familyMemory();
  const lost = { won: "v4", ms: 1, sixWasSilent: true } as const;
  const now = performance.now();
  for (let i = 0; i < 3; i++) memory.take(lost, now);
  using _conn = await dial(
    { hostname: "localhost", port: listener.addr.port },
    { memory, resolve: false },
  );
  assertEquals(memory.first(now), "v4");
  assertEquals(memory.connectMs("v6"), undefined);
});

Deno.test("a name beyond ASCII is looked up and certified in ASCII", async () => {
  await using dns = await startDnsServer();
  await withTls({ cert: IDN_CERT, key: KEY }, async (port) => {
    using conn = await dial({ hostname: "bücher.test", port }, {
      tls: { caCerts: [IDN_CERT] },
      resolve: { servers: [dns.address], loopback: true, families: ["v4"] },
    });
    await conn.handshake();
  });
});
