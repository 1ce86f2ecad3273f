import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async/delay";
import { acceptResumable, type ResumableConn } from "@holdfast/resume";
import { testWith } from "@holdfast/testkit";
import { CutProxy } from "@holdfast/testkit/proxy";
import { createHash } from "node:crypto";

const CLIENT = "tests/process/resume_client.py";
const VECTORS = "packages/resume/testdata/vectors.json";
const BYTES = 3 * 1024 * 1024;
const CUTS = 12;

async function python(args: string[]) {
  const { stdout, stderr } = await new Deno.Command("python3", {
    args: [CLIENT, ...args],
  }).output();
  assertEquals(new TextDecoder().decode(stderr), "");
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function receive(conn: ResumableConn): Promise<string> {
  const hash = createHash("sha256");
  const into = new Uint8Array(64 * 1024);
  for (let n; (n = await conn.read(into)) !== null;) {
    hash.update(into.subarray(0, n));
    // Slow enough for the cuts to fall into the middle of it.
    await delay(1);
  }
  return hash.digest("hex");
}

async function send(conn: ResumableConn): Promise<string> {
  const hash = createHash("sha256");
  for (let sent = 0; sent < BYTES; sent += 32 * 1024) {
    const bytes = crypto.getRandomValues(new Uint8Array(32 * 1024));
    hash.update(bytes);
    for (let at = 0; at < bytes.length;) {
      at += await conn.write(bytes.subarray(at));
    }
    await delay(2);
  }
  await conn.closeWrite();
  return hash.digest("hex");
}

testWith({
  name: "plain Python, written from the document, recomputes every test vector",
  needs: ["python3"],
  fn: async () => {
    const { ok, checked } = await python(["--check-vectors", VECTORS]);
    assertEquals(ok, true);
    assert(checked > 30);
  },
});

for (const key of [undefined, "0b".repeat(32)]) {
  const how = key === undefined ? "without a key" : "with a pre-shared key";
  testWith({
    name:
      `a client in plain Python streams with our server through cuts, ${how}`,
    needs: ["python3"],
    fn: async () => {
      await using proxy = await CutProxy.start();
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      proxy.forward("127.0.0.1", listener.addr.port);
      await using server = acceptResumable(listener, {
        heartbeatMs: 100,
        presharedKey: key === undefined
          ? undefined
          : () => Uint8Array.fromHex(key),
      });
      const args = ["--port", String(proxy.port), "--send", String(BYTES)];
      args.push("--heartbeat-ms", "100");
      if (key !== undefined) args.push("--key-id", "k", "--key", key);
      const client = python(args);
      const conn = await server.accept();
      const cutting = (async () => {
        const sides = ["both", "client", "server"] as const;
        for (let i = 0; i < CUTS; i++) {
          const at = proxy.bytes + BYTES / CUTS / 2;
          while (proxy.bytes < at) await delay(1);
          proxy.cut(sides[i % sides.length]);
        }
      })();
      const [received, sent] = await Promise.all([receive(conn), send(conn)]);
      await cutting;
      conn.close();
      const report = await client;
      assertEquals([report.ok, report.error], [true, null]);
      assertEquals([report.sent, report.received], [BYTES, BYTES]);
      assertEquals(report.sentSha256, received);
      assertEquals(report.receivedSha256, sent);
      assert(report.resumes >= CUTS / 2, `${report.resumes} resumes`);
    },
  });
}
