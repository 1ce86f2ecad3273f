import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ipBytes, isOnLink, sameIp, scopeOf } from "./_address.ts";
import { address } from "./testdata/snapshots.ts";

Deno.test("ipBytes() reads every spelling, and nothing else", () => {
  assertEquals(ipBytes("10.0.0.255"), [10, 0, 0, 255]);
  assertEquals(ipBytes("::1")?.at(-1), 1);
  assertEquals(ipBytes("::")?.length, 16);
  assertEquals(ipBytes("::ffff:1.2.3.4"), [1, 2, 3, 4]);
  assertEquals(ipBytes("1::8%eth0"), ipBytes("1:0:0:0:0:0:0:8"));
  for (const text of ["", "10.0.0", "10.0.0.256", "g::1", "host", "1::2::3"]) {
    assertEquals(ipBytes(text), undefined);
  }
});

Deno.test("ipBytes() gives back the words of any IPv6 address", () => {
  const words = fc.array(fc.integer({ min: 0, max: 0xffff }), {
    minLength: 8,
    maxLength: 8,
  }).filter((all) => all.slice(0, 5).some((word) => word !== 0));
  fc.assert(fc.property(words, (all) => {
    const text = all.map((word) => word.toString(16)).join(":");
    assertEquals(
      ipBytes(text),
      all.flatMap((word) => [word >> 8, word & 0xff]),
    );
  }));
});

Deno.test("isOnLink() compares as many bits as the prefix has", () => {
  assert(isOnLink("10.0.1.200", address("10.0.0.1", 23)));
  assert(!isOnLink("10.0.2.1", address("10.0.0.1", 23)));
  assert(isOnLink("198.18.0.1", address("10.0.0.1", 0)));
  assert(!isOnLink("10.0.0.2", address("10.0.0.1", 32)));
  assert(isOnLink("2001:db8::9", address("2001:db8::1", 64)));
  assert(!isOnLink("10.0.0.2", address("2001:db8::1", 0)));
});

Deno.test("scopeOf() knows the blocks of loopback and link-local", () => {
  assertEquals(
    [
      "127.9.9.9",
      "::1",
      "169.254.3.3",
      "fe80::1",
      "febf::1",
      "fec0::1",
      "10.0.0.1",
    ]
      .map(scopeOf),
    ["host", "host", "link", "link", "link", "global", "global"],
  );
  assert(!sameIp("x", "x"));
});
