import { assertEquals } from "@std/assert";
import { DnsCache } from "./_dns_cache.ts";
import type { DnsAnswer } from "./_dns_types.ts";

const DAY_MS = 86_400_000;

function found(address: string, ttlSeconds: number): DnsAnswer {
  return {
    kind: "addresses",
    addresses: [{ address, family: "v4", ttlSeconds }],
  };
}

Deno.test("names are kept for their time, in need for a day, and 512 at the most", () => {
  const cache = new DnsCache();
  cache.take("kept", found("192.0.2.1", 60), 0);
  assertEquals(cache.fresh("kept", 59_999)?.[0]?.address, "192.0.2.1");
  assertEquals(cache.fresh("kept", 60_000), undefined);
  assertEquals(
    cache.stale("kept", 60_000 + DAY_MS - 1)?.[0]?.address,
    "192.0.2.1",
  );
  assertEquals(cache.stale("kept", 60_000 + DAY_MS), undefined);

  for (let i = 0; i < 511; i++) cache.take(`${i}`, found("192.0.2.2", 60), 0);
  // It was used last, so that another one has to go.
  assertEquals(cache.fresh("kept", 1)?.length, 1);
  cache.take("one more", found("192.0.2.3", 60), 1);
  assertEquals(cache.stale("kept", 1)?.length, 1);
  assertEquals(cache.stale("0", 1), undefined);
  assertEquals(cache.stale("1", 1)?.length, 1);
});

Deno.test("a denial ends what was known, a failure does not", () => {
  const cache = new DnsCache();
  for (const kind of ["no-such-name", "no-data"] as const) {
    cache.take("a", found("192.0.2.1", 60), 0);
    cache.take("a", { kind: "server-failure" }, 1);
    assertEquals(cache.fresh("a", 2)?.length, 1);
    cache.take("a", { kind }, 2);
    assertEquals(cache.stale("a", 3), undefined);
  }
});
