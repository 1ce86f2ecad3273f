import { assert, assertEquals, assertRejects } from "@std/assert";
import { diffSnapshots } from "./diff.ts";
import { readSnapshot } from "./read.ts";
import { watchNetwork } from "./watch.ts";

Deno.test("watchNetwork() shows the network from the start", async () => {
  await using watch = await watchNetwork();
  assertEquals(diffSnapshots(watch.state, await readSnapshot()), []);
  assertEquals(watch.stats().changes, 0);
  assertEquals(watch.stats().reads >= 1, true);
});

Deno.test("close() ends events, waits and handles, and does it once", async () => {
  const watch = await watchNetwork();
  const path = watch.track({ localAddr: "127.0.0.1" });
  const once = watch.once("online");
  const pathOnce = path.once("*");
  const stream = watch.events();
  const refresh = watch.refresh();
  await Promise.all([
    watch.close(),
    watch.close(),
    assertRejects(() => once, DOMException, "disposed"),
    assertRejects(() => pathOnce, DOMException, "disposed"),
    assertRejects(() => refresh, DOMException, "closed"),
  ]);
  await watch.closed;
  assertEquals((await stream.next()).done, true);
  await assertRejects(() => watch.refresh(), DOMException, "closed");
  const late = watch.track({ localAddr: "127.0.0.1" });
  await assertRejects(() => late.once("*"), DOMException, "disposed");
});

Deno.test("an aborted signal closes a watch, or lets none begin", async () => {
  const controller = new AbortController();
  const watch = await watchNetwork({ signal: controller.signal });
  controller.abort();
  await watch.closed;
  await assertRejects(
    () => watchNetwork({ signal: controller.signal }),
    DOMException,
  );
  const opening = new AbortController();
  const promise = watchNetwork({ signal: opening.signal });
  opening.abort(new Error("changed my mind"));
  await assertRejects(() => promise, Error, "changed my mind");
});

Deno.test("refresh() begins after the call, for many callers by one reading", async () => {
  await using watch = await watchNetwork({ monitor: false });
  const before = watch.stats().reads;
  await Promise.all([watch.refresh(), watch.refresh(), watch.refresh()]);
  const reads = watch.stats().reads - before;
  assert(reads >= 1 && reads <= 2, `${reads} readings`);
  const controller = new AbortController();
  const refresh = watch.refresh({ signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => refresh, Error, "enough");
  await watch.refresh();
});

Deno.test("watchNetwork() refuses numbers that make no sense", async () => {
  for (const pollMs of [0, -1, NaN, Infinity, 2 ** 31]) {
    await assertRejects(
      () => watchNetwork({ pollMs }),
      RangeError,
      `Cannot watch the network: pollMs must be from 1 to 2147483647: current value is ${pollMs}`,
    );
  }
});

Deno.test("track() gives a handle that ends with it", async () => {
  await using watch = await watchNetwork();
  const path = watch.track({ localAddr: "127.0.0.1", remoteAddr: "127.0.0.2" });
  assertEquals(path.path, {
    localAddr: "127.0.0.1",
    remoteAddr: "127.0.0.2",
  });
  assertEquals(path.state.status, "ok");
  const lost = watch.track({ localAddr: "203.0.113.77" });
  assertEquals(lost.state, { status: "lost", reason: "address-removed" });
  const waiting = path.once("*");
  path[Symbol.dispose]();
  path[Symbol.dispose]();
  await assertRejects(() => waiting, DOMException);
});
