/**
 * In a namespace of its own where /etc/resolv.conf names nobody, as on a system
 * without the file: the C library asks 127.0.0.1 then, or another book.
 */
import { startDnsServer } from "@holdfast/testkit/dns";
import { assertEquals, assertRejects } from "@std/assert";
import { dial, RecoveryError, resolve } from "../mod.ts";

{
  await using _dns = await startDnsServer({ port: 53, four: "127.0.0.1" });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const target = { hostname: "four.test", port };
  (await Deno.connect(target)).close();
  (await dial(target, { deadlineMs: 8_000 })).close();
  const error = await assertRejects(
    () => resolve(target.hostname),
    RecoveryError,
    "/etc/resolv.conf names one",
  );
  assertEquals(error.code, "recovery/no-resolver");
}
