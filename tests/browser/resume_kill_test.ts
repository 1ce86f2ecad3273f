/** A page keeps its stream while its server is killed; and what a page loads. */
import { testWith } from "@holdfast/testkit";
import { CutProxy } from "@holdfast/testkit/proxy";
import { assert, assertEquals } from "@std/assert";
import { deadline, delay } from "@std/async";
import { Running } from "../process/_tunnel_world.ts";
import { bundle, startChromium } from "./_chromium.ts";
import type { PageReport } from "./testdata/resume_page.ts";

const BYTES = 4 * 1024 * 1024;
const KILLS = 5;
const STALL_MS = 120_000;
const here = (path: string) => new URL(path, import.meta.url);

function startServer(port: number, file: string): Running {
  return new Running(Deno.execPath(), [
    ...["run", "--no-prompt", "--allow-net=127.0.0.1", "--allow-read"],
    ...["--allow-write", here("testdata/durable_echo_server.ts").pathname],
    ...[String(port), file],
  ]);
}

testWith({
  name:
    `a page in Chromium keeps its stream through ${KILLS} kills of its server, cuts and being offline, and each byte comes back once`,
  needs: ["unix", "chromium"],
  // The browser is a program with timers and pipes of its own.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const script = await bundle(here("testdata/resume_page.ts"));
    await using http = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () =>
        new Response(`<!doctype html><script>${script}</script>`, {
          headers: { "content-type": "text/html" },
        }),
    );
    const folder = await Deno.makeTempDir();
    let server = startServer(0, `${folder}/sessions`);
    const port = Number((await server.says(/port (\d+)/))[1]);
    await using proxy = await CutProxy.start();
    proxy.forward("127.0.0.1", port);
    const browser = await startChromium();
    try {
      const context = await browser.newContext();
      const page = await context.newPage();
      await page.goto(`http://127.0.0.1:${http.addr.port}/`);
      const ends = page.evaluate(
        ([url, bytes]) =>
          (globalThis as unknown as {
            stream(...args: unknown[]): Promise<PageReport>;
          }).stream(url, bytes, 300),
        [`ws://127.0.0.1:${proxy.port}/`, BYTES] as const,
      );
      let over = false;
      void ends.finally(() => over = true).catch(() => {});
      for (let i = 1; i <= KILLS; i++) {
        // Both directions go through it.
        const at = i * 2 * BYTES / (KILLS + 2);
        while (proxy.bytes < at && !over) await delay(1);
        await server[Symbol.asyncDispose](); // By SIGKILL.
        server = startServer(port, `${folder}/sessions`);
        await server.says(/port/);
        const seen = proxy.bytes;
        while (proxy.bytes < seen + 20_000 && !over) await delay(1);
        if (i % 2 === 0) proxy.cut();
        else {
          await context.setOffline(true);
          proxy.cut();
          await delay(100);
          await context.setOffline(false);
        }
      }
      const report = await deadline(ends, STALL_MS);
      assertEquals([report.received, report.state], [BYTES, "closed"]);
      assertEquals(report.receivedSha256, report.sentSha256);
      assert(report.resumed >= KILLS, `${report.resumed} resumes`);
    } finally {
      await browser.close();
      await server[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("the README tells how much a page loads", async () => {
  const script = await bundle(here("testdata/resume_size.ts"));
  const zipped = new Blob([script]).stream()
    .pipeThrough(new CompressionStream("gzip"));
  const sizes = [
    script.length,
    (await new Response(zipped).arrayBuffer()).byteLength,
  ];
  const readme = await Deno.readTextFile(
    here("../../packages/resume/README.md"),
  );
  const told = /has\s+(\d+)\s+kB,\s+(\d+)\s+kB\s+compressed/.exec(readme);
  assert(told !== null, "it does not");
  for (const [i, size] of sizes.entries()) {
    const kB = Number(told[i + 1]);
    assert(
      Math.abs(size / 1000 - kB) <= 1,
      `it says ${kB} kB, and it is ${size} bytes`,
    );
  }
});
