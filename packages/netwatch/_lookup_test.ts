import { assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { ipBatch, parseIpBatch } from "./_linux_ip.ts";
import { lookupOf, LOOKUPS_MAX, lookupsOf } from "./_lookup.ts";
import { toPath } from "./_path_target.ts";
import { recorded } from "./testdata/recorded.ts";

Deno.test("a path that no route decides is not asked for", () => {
  for (
    const path of [
      { localAddr: "10.0.0.2" },
      { localAddr: "127.0.0.1", remoteAddr: "127.0.0.1" },
      { localAddr: "fe80::1%eth0", remoteAddr: "fe80::2%eth0" },
      { localAddr: "10.0.0.2", remoteAddr: "2001:db8::1" },
    ]
  ) assertEquals(lookupOf(path), undefined);
  assertEquals(
    lookupOf({ localAddr: "::", remoteAddr: "2001:db8::1" })?.command,
    "route get 2001:db8:0:0:0:0:0:1",
  );
  assertEquals(
    lookupOf({ localAddr: "::ffff:10.0.0.2", remoteAddr: "::ffff:192.0.2.1" })
      ?.command,
    "route get 192.0.2.1 from 10.0.0.2",
  );
});

Deno.test("whatever a path is called, a command has addresses in it and nothing else", () => {
  fc.assert(fc.property(
    fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()),
    fc.oneof(fc.string(), fc.ipV4(), fc.ipV6()),
    fc.string(),
    (localAddr, remoteAddr, zone) => {
      for (const remote of [remoteAddr, `${remoteAddr}%${zone}`]) {
        let path;
        try {
          path = toPath({ localAddr, remoteAddr: remote });
        } catch {
          continue;
        }
        const lookup = lookupOf(path);
        if (lookup === undefined) continue;
        assertMatch(
          lookup.command,
          /^route get [0-9a-f.:]+( from [0-9a-f.:]+)?$/,
        );
      }
    },
  ));
});

Deno.test("equal paths are asked once, and too many not at all", () => {
  const one = { localAddr: "10.0.0.2", remoteAddr: "192.0.2.1" };
  assertEquals(lookupsOf([one, { ...one }]).length, 1);
  const many = Array.from({ length: 2_000 }, (_, i) => ({
    localAddr: "10.0.0.2",
    remoteAddr: `192.0.${i >> 8}.${i & 255}`,
  }));
  assertEquals(lookupsOf(many).length, LOOKUPS_MAX);
});

Deno.test("an answer is told from the default's, and a refusal is an answer", () => {
  const asked = lookupsOf([
    { localAddr: "10.77.0.2", remoteAddr: "192.31.196.1" },
    { localAddr: "10.77.0.2", remoteAddr: "198.18.0.1" },
    { localAddr: "0.0.0.0", remoteAddr: "198.18.0.1" },
  ]);
  assertEquals(ipBatch([], asked).trimEnd().split("\n").slice(-3), [
    "route get 192.31.196.1 from 10.77.0.2",
    "route get 198.18.0.1 from 10.77.0.2",
    "route get 198.18.0.1",
  ]);
  const answer = (from: string, dev: string) =>
    JSON.stringify([{ dst: "192.31.196.1", from, dev, gateway: "10.9.9.9" }]);
  const text = `${recorded("linux_many.jsonl").trimEnd()}\n${
    answer("10.77.0.2", "vpn0")
  }\n`;
  const { parts, lookups } = parseIpBatch(text, asked)!;
  assertEquals(parts.effective?.IPv4?.interface, "vA0");
  assertEquals(asked.map(({ key }) => [lookups.has(key), lookups.get(key)]), [
    [true, { family: "IPv4", interface: "vpn0", gateway: "10.9.9.9" }],
    [true, undefined],
    [true, undefined],
  ]);
});
