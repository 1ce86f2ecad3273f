/**
 * The client half of a resumable stream in a real browser: a page streams with
 * a server of ours through resets, silence and being offline.
 */
import { acceptResumable, type ResumableConn } from "@holdfast/resume";
import { webSocketTransports } from "@holdfast/resume/websocket";
import { testWith } from "@holdfast/testkit";
import { CutProxy } from "@holdfast/testkit/proxy";
import { assert, assertEquals } from "@std/assert";
import { deadline, delay } from "@std/async";
import { createHash } from "node:crypto";
import { bundle, startChromium } from "./_chromium.ts";
import type { PageReport } from "./testdata/resume_page.ts";

const BYTES = 2 * 1024 * 1024;
const CUTS = 8;
const HEARTBEAT_MS = 150;
const STALL_MS = 60_000;

async function receive(conn: ResumableConn): Promise<string> {
  const hash = createHash("sha256");
  const into = new Uint8Array(64 * 1024);
  for (let n; (n = await conn.read(into)) !== null;) {
    hash.update(into.subarray(0, n));
  }
  return hash.digest("hex");
}

async function send(conn: ResumableConn): Promise<string> {
  const hash = createHash("sha256");
  for (let sent = 0; sent < BYTES; sent += 16 * 1024) {
    const bytes = crypto.getRandomValues(new Uint8Array(16 * 1024));
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
  name:
    "a page in Chromium keeps its stream through resets, silence and being offline",
  needs: ["chromium"],
  // The browser is a program with timers and pipes of its own.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const script = await bundle(
      new URL("testdata/resume_page.ts", import.meta.url),
    );
    const transports = webSocketTransports();
    const http = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request) =>
        request.headers.get("upgrade") === null
          ? new Response(`<!doctype html><script>${script}</script>`, {
            headers: { "content-type": "text/html" },
          })
          : transports.handle(request),
    );
    await using proxy = await CutProxy.start();
    proxy.forward("127.0.0.1", http.addr.port);
    await using server = acceptResumable(transports, {
      heartbeatMs: HEARTBEAT_MS,
    });
    const browser = await startChromium();
    try {
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(`http://127.0.0.1:${http.addr.port}/`);
      const url = `ws://127.0.0.1:${proxy.port}/`;
      const ends = page.evaluate(
        ([url, bytes, heartbeatMs]) =>
          (globalThis as unknown as {
            stream(...args: unknown[]): Promise<PageReport>;
          }).stream(url, bytes, heartbeatMs),
        [url, BYTES, HEARTBEAT_MS] as const,
      );
      const conn = await deadline(server.accept(), STALL_MS);
      let over = false;
      void ends.finally(() => over = true).catch(() => {});
      const cutting = (async () => {
        const sides = ["both", "client", "server"] as const;
        for (let i = 0; i < CUTS; i++) {
          const at = proxy.bytes + BYTES / CUTS;
          while ((proxy.bytes < at || proxy.open === 0) && !over) {
            await delay(1);
          }
          if (over) return; // What was sent again counts as well.
          if (i !== CUTS / 2) proxy.cut(sides[i % sides.length]);
          else {
            await context.setOffline(true);
            proxy.cut();
            await delay(300);
            await context.setOffline(false);
          }
        }
      })();
      const [report, received, sent] = await deadline(
        Promise.all([ends, receive(conn), send(conn), cutting]),
        STALL_MS,
      );
      assertEquals(report.receivedSha256, sent);
      assertEquals(report.sentSha256, received);
      assertEquals([report.received, report.state], [BYTES, "closed"]);
      assert(report.resumed >= CUTS / 2, `${report.resumed} resumes`);
      assert(report.replayed > 0, "the cuts cut nothing");
      // Cuts that only the server saw are found by their silence.
      assert(report.reasons.includes("silent"), report.reasons.join());
      conn.close();
      await conn.closed;
    } finally {
      await browser.close();
      void http.shutdown();
    }
  },
});
