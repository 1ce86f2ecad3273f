/**
 * The same signalling in a real browser: a page and a program of ours meet over
 * two real brokers, one of which is killed meanwhile.
 */
import { createIdentity, openSignalling } from "@holdfast/signal";
import { testWith } from "@holdfast/testkit";
import { startMosquitto } from "@holdfast/testkit/broker";
import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { bundle, startChromium } from "./_chromium.ts";
import type { SignalPageReport } from "./testdata/signal_page.ts";

const COUNT = 60;
const STALL_MS = 60_000;

testWith({
  name: "a page in Chromium signals with a program while a broker is killed",
  needs: ["chromium", "mosquitto"],
  // The browser is a program with timers and pipes of its own.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const script = await bundle(
      new URL("testdata/signal_page.ts", import.meta.url),
    );
    await using first = await startMosquitto({ websockets: true });
    await using second = await startMosquitto({ websockets: true });
    const brokers = [first.url, second.url];
    await using http = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      () =>
        new Response(`<!doctype html><script>${script}</script>`, {
          headers: { "content-type": "text/html" },
        }),
    );
    const identity = await createIdentity();
    await using signalling = await openSignalling({ identity, brokers });
    using _handling = signalling.handle(({ bytes }) => bytes.toReversed());
    const browser = await startChromium();
    try {
      const page = await browser.newPage();
      await page.goto(`http://127.0.0.1:${http.addr.port}/`);
      const talking = page.evaluate(
        ([brokers, peer, count]) =>
          (globalThis as unknown as {
            talk(...args: unknown[]): Promise<SignalPageReport>;
          }).talk(brokers, peer, count),
        [brokers, signalling.id, COUNT] as const,
      );
      const received: string[] = [];
      for await (const { from, bytes } of signalling.receive()) {
        received.push(new TextDecoder().decode(bytes));
        const reply = new TextEncoder().encode(
          `to the page ${received.length}`,
        );
        await deadline(signalling.send(from, reply), STALL_MS);
        if (received.length === COUNT / 2) await first.kill();
        if (received.length === COUNT) break;
      }
      const report = await deadline(talking, STALL_MS);
      assertEquals(
        received,
        Array.from({ length: COUNT }, (_, i) => `from the page ${i}`),
      );
      assertEquals(
        new Set(report.received),
        new Set(
          Array.from({ length: COUNT }, (_, i) => `to the page ${i + 1}`),
        ),
      );
      assertEquals(report.received.length, COUNT);
      assertEquals(report.answer, "noitseuq");
      assert(report.types.includes("broker-down"), report.types.join());
    } finally {
      await browser.close();
    }
  },
});
