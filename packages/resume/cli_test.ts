import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { bytesText, eventText, statusText } from "./_cli_report.ts";
import { keyFinder, newKeyLine, parseKeys } from "./_key_file.ts";
import type { TunnelStats } from "./tunnel.ts";

const QUIET: TunnelStats = {
  ...{ open: 0, paused: 0, total: 0, failed: 0 },
  ...{ sentBytes: 0, receivedBytes: 0, cuts: 0 },
};

Deno.test("the status line tells rates per second, and troubles only if there are some", () => {
  const busy = { ...QUIET, open: 2, total: 5, cuts: 12 };
  assertEquals(
    statusText(
      { ...busy, sentBytes: 3_000_000, receivedBytes: 1_500 },
      { ...busy, sentBytes: 1_000_000 },
      2,
    ),
    "2 of 5 connections open · out 1.00 MB/s · in 750 B/s · 12 cuts survived",
  );
  assertStringIncludes(
    statusText({ ...busy, paused: 1, failed: 2 }, busy, 1),
    " · 1 waiting for the network · 2 failed",
  );
});

Deno.test("numbers of bytes have three digits at most", () => {
  assertEquals(
    [0, 999, 1_000, 12_345, 99_949, 99_951, 999_499, 1e6, 5e12].map(bytesText),
    [
      ...["0 B", "999 B", "1.00 kB", "12.3 kB", "99.9 kB", "100 kB"],
      ...["999 kB", "1.00 MB", "5000 GB"],
    ],
  );
});

Deno.test("failures are told in a line, and the rest is left to the status line", () => {
  assertEquals(
    eventText({
      type: "connection-failed",
      id: 3,
      code: "x",
      error: "It fell",
    }),
    "Connection 3: It fell",
  );
  assertEquals(
    eventText({
      ...{ type: "handshake-refused", reason: "no key" },
      remote: undefined,
    }),
    "Turned away a client: no key",
  );
  assertEquals(
    eventText({ type: "connection-paused", id: 1, reason: "silent" }),
    undefined,
  );
});

Deno.test("a file of keys is read as it was made, and a server finds each by its name", () => {
  const lines = [newKeyLine("alice"), "# a remark", "", newKeyLine("bob")];
  const keys = parseKeys(`${lines.join("\n")} # mine\n`, "file");
  assertEquals(keys.map(({ key }) => key.length), [32, 32]);
  const find = keyFinder(keys);
  const named = (name: string) => new TextEncoder().encode(name);
  assertEquals(find(named("bob"))?.toHex(), lines[3]!.split(" ")[1]);
  assertEquals(find(named("eve")), undefined);
});

Deno.test("a line that is no key is told by its number, and never by what stands there", () => {
  const short = "ab".repeat(15);
  for (
    const [text, line] of [
      [`a ${"ab".repeat(16)}\nb ${short}`, "line 2"],
      [short, "line 1"],
      [`a ${short}a${short}`, "line 1"],
      [`${"a".repeat(256)} ${"ab".repeat(16)}`, "line 1"],
      ["# nothing", "has no key"],
    ] as const
  ) {
    const error = assertThrows(() => parseKeys(text, "f.key"), TypeError);
    assertStringIncludes(error.message, line);
    assertStringIncludes(error.message, "f.key");
    assertEquals(error.message.includes(short), false);
  }
});
