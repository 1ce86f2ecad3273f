import { assertEquals, assertRejects } from "@std/assert";
import { Waiting } from "./_waiting.ts";

Deno.test("who waits is served in order, and only as far as there is something", async () => {
  const waiting = new Waiting<number>();
  let stock = 0;
  const take = () => stock > 0 ? stock-- : undefined;
  const both = Promise.all([waiting.add(take), waiting.add(take)]);
  waiting.retry();
  assertEquals(waiting.busy, true);
  stock = 1;
  waiting.retry();
  stock = 5;
  waiting.retry();
  assertEquals(await both, [1, 5]);
  assertEquals(waiting.busy, false);
});

Deno.test("an attempt that sets off another retry is served once", async () => {
  const waiting = new Waiting<number>();
  let calls = 0;
  const first = waiting.add(() => {
    calls++;
    waiting.retry();
    return 1;
  });
  const second = waiting.add(() => 2);
  waiting.retry();
  assertEquals([await first, await second, calls], [1, 2, 1]);
});

Deno.test("all who wait can be turned away", async () => {
  const waiting = new Waiting<number>();
  const turned = waiting.add(() => undefined);
  waiting.reject(() => new Error("closed"));
  await assertRejects(() => turned, Error, "closed");
});
