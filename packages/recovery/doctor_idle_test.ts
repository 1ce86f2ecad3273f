import { assertEquals, assertRejects } from "@std/assert";
import { diagnose } from "./doctor.ts";
import type { DialTlsConfig } from "./dial_options.ts";

const read = (name: string) =>
  Deno.readTextFile(new URL(`./testdata/${name}`, import.meta.url));
const [cert, key] = await Promise.all(["cert.pem", "key.pem"].map(read)) as [
  string,
  string,
];

/** What the doctor says of an idle connection to a server of HTTP. */
async function idleAt(
  port: number,
  tls: false | DialTlsConfig,
): Promise<{ causes: string[]; idle: string | undefined }> {
  const { causes, steps } = await diagnose({
    target: { hostname: "127.0.0.1", port },
    ...{ http: true, tls, portalUrl: false, idleMs: 100 },
  });
  return {
    causes: causes.map(({ id }) => id),
    idle: steps.find(({ id }) => id === "idle")?.state,
  };
}

Deno.test("an idle connection by TLS is asked by TLS", async () => {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert, key, onListen() {} },
    () => new Response("hello"),
  );
  assertEquals(await idleAt(server.addr.port, { caCerts: [cert] }), {
    ...{ causes: [], idle: "ok" },
  });
  await server.shutdown();
});

Deno.test("a server that ends idle connections is no fault of the way", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answer = new TextEncoder().encode(
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
  );
  const serving = (async () => {
    for await (const conn of listener) {
      const timer = setTimeout(() => conn.closeWrite().catch(() => {}), 50);
      conn.read(new Uint8Array(8_000)).then(async (count) => {
        clearTimeout(timer);
        if (count !== null) await conn.write(answer);
      }).catch(() => {}).finally(() => conn.close());
    }
  })();
  const { causes, idle } = await idleAt(listener.addr.port, false);
  assertEquals([causes, idle], [[], "unknown"]);
  listener.close();
  await serving;
});

Deno.test("diagnose() obeys its signal while it waits for an idle connection", async () => {
  const asked = Promise.withResolvers<void>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => (asked.resolve(), new Response("hello")),
  );
  const abort = new AbortController();
  const diagnosing = diagnose({
    target: { hostname: "127.0.0.1", port: server.addr.port },
    ...{ http: true, portalUrl: false, idleMs: 3_600_000 },
    signal: abort.signal,
  });
  await asked.promise;
  abort.abort(new Error("enough"));
  await assertRejects(() => diagnosing, Error, "enough");
  await server.shutdown();
});
