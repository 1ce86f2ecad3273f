import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { BlockList } from "node:net";
import { addressNumber, parsePrefix } from "./_address.ts";
import { checkRequest } from "./_request.ts";
import type { AccessRequest } from "./request.ts";

const v4 = fc.ipV4();
const v6 = fc.ipV6();

Deno.test("prefixes hold what node's BlockList says they hold", () => {
  const pairs = fc.oneof(
    fc.tuple(v4, v4, fc.nat(32), fc.constant("ipv4" as const)),
    fc.tuple(v6, v6, fc.nat(128), fc.constant("ipv6" as const)),
  );
  fc.assert(fc.property(pairs, ([address, other, length, family]) => {
    const number = addressNumber(address)!;
    const bits = BigInt((family === "ipv4" ? 32 : 128) - length);
    const list = new BlockList();
    list.addSubnet(address, length, family);
    // Written with the bits after the length cleared, as it must be.
    const base = format((number >> bits) << bits, family);
    const prefix = parsePrefix(`${base}/${length}`);
    assert(prefix !== undefined, base);
    for (const candidate of [address, other]) {
      const n = addressNumber(candidate)!;
      const inside = n >= prefix.span.lo && n <= prefix.span.hi;
      assertEquals(inside, list.check(candidate, family), candidate);
    }
  }));
});

function format(number: bigint, family: "ipv4" | "ipv6"): string {
  const [parts, bits, radix, dot] = family === "ipv4"
    ? [4, 8n, 10, "."] as const
    : [8, 16n, 16, ":"] as const;
  return Array.from({ length: parts }, (_, i) => {
    const shift = bits * BigInt(parts - 1 - i);
    return ((number >> shift) & ((1n << bits) - 1n)).toString(radix);
  }).join(dot);
}

Deno.test("addresses in their many ways of writing", () => {
  assertEquals(addressNumber("::ffff:1.2.3.4"), 0xffff_0102_0304n);
  assertEquals(addressNumber("::"), 0n);
  assertEquals(addressNumber("fd99::1"), 0xfd99n * (1n << 112n) + 1n);
  for (const bad of ["", "1.2.3", "fe80::1%eth0", "a.b.c.d", "1.2.3.4/8"]) {
    assertEquals(addressNumber(bad), undefined);
  }
});

Deno.test("any text is a prefix, or is refused, without a crash", () => {
  const text = fc.oneof(
    fc.string(),
    fc.stringMatching(/^[0-9a-f:.\/%]{0,24}$/),
    fc.tuple(fc.oneof(v4, v6), fc.string({ maxLength: 3 }))
      .map((parts) => parts.join("/")),
  );
  fc.assert(fc.property(text, (source) => {
    const prefix = parsePrefix(source);
    if (prefix !== undefined) assert(prefix.span.lo <= prefix.span.hi);
  }));
});

Deno.test("a wrong request is refused by name and value", () => {
  const rows: readonly (readonly [unknown, string])[] = [
    [{ port: 0 }, "port"],
    [{ port: 65_536 }, "65536"],
    [{ port: 1.5 }, "1.5"],
    [{ port: "80" }, '"80"'],
    [{ port: 80, protocol: "icmp" }, '"icmp"'],
    [{ port: 80, family: "v4" }, '"v4"'],
    [{ port: 80, source: "10.0.0.1/8" }, "10.0.0.1/8"],
    [{ port: 80, source: "10.0.0.0/33" }, "10.0.0.0/33"],
    [{ port: 80, source: "all" }, '"all"'],
    [{ port: 80, source: "fd00::/8", family: "ipv4" }, "ipv4"],
    [{ port: 80, interface: "" }, "interface"],
    [{ port: 80, interface: "eth*" }, '"eth*"'],
    [{ port: 80, interface: "-j" }, '"-j"'],
    [{ port: 80, interface: "a b; rm" }, "interface"],
    [{ port: 80, interface: "sixteen-letters-x" }, "interface"],
  ];
  for (const [request, message] of rows) {
    const error = assertThrows(
      () => checkRequest(request as AccessRequest),
      Error,
      message,
    );
    assert(error instanceof TypeError || error instanceof RangeError);
  }
});

Deno.test("the source says the family", () => {
  assertEquals(checkRequest({ port: 1 }).families, ["ipv4", "ipv6"]);
  assertEquals(checkRequest({ port: 1, source: "::1" }).families, ["ipv6"]);
  assertEquals(checkRequest({ port: 1, source: "1.1.1.1" }).families, ["ipv4"]);
});
