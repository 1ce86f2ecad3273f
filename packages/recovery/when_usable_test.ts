import { testWith } from "@holdfast/testkit";
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { judgeUsable, usableBatch } from "./_usable_rules.ts";
import { whenUsable } from "./mod.ts";
import { runInNamespace } from "./testdata/in_namespace.ts";

const SIX = "fd66:2::2";

/** The output of `ip -j` for a link with one IPv6 address. */
function output(
  options: {
    readonly route?: Record<string, unknown> | undefined;
    readonly flags?: readonly string[];
    readonly address?: Record<string, unknown>;
    readonly neighbour?: Record<string, unknown>;
  },
): string {
  const { flags = ["UP", "LOWER_UP"], address = {}, neighbour } = options;
  const route = "route" in options ? options.route : {
    ...{ type: "unicast", dst: SIX, dev: "vA", prefsrc: "fd66:2::1" },
  };
  const links = [
    { ifname: "lo", flags: ["UP", "LOWER_UP"], addr_info: [] },
    {
      ...{ ifname: "vA", flags },
      addr_info: [
        { family: "inet6", local: "fe80::1", scope: "link" },
        { family: "inet6", local: "fd66:2::1", scope: "global", ...address },
      ],
    },
  ];
  return [
    ...(route === undefined ? [] : [[route]]),
    links,
    neighbour === undefined ? [] : [{ dst: SIX, dev: "vA", ...neighbour }],
  ].map((rows) => JSON.stringify(rows)).join("\n");
}

Deno.test("judgeUsable() tells what is missing, from the kernel's tables", () => {
  const route = { type: "unicast", dst: SIX, dev: "vA" };
  const table: readonly (readonly [Parameters<typeof output>[0], string])[] = [
    [{}, "usable, unproven"],
    [{ neighbour: { state: ["REACHABLE"] } }, "usable"],
    [{ neighbour: { state: ["STALE"] } }, "usable"],
    [{ neighbour: { state: ["INCOMPLETE"] } }, "usable, unproven"],
    [{ neighbour: { state: ["FAILED"] } }, "neighbour-silent"],
    [{ address: { tentative: true } }, "tentative"],
    // The kernel takes another source then, and hangs with it.
    [{
      ...{ route: { ...route, prefsrc: "::1" } },
      address: { tentative: true },
    }, "tentative"],
    [{
      ...{ route: { ...route, prefsrc: "fe80::1" } },
      address: { tentative: true, dadfailed: true },
    }, "duplicate-address"],
    [{ flags: [] }, "link-down"],
    [{ flags: ["UP"] }, "no-carrier"],
    [{ route: undefined }, "no-route"],
    [{ route: undefined, flags: ["UP"] }, "no-carrier"],
    [{ route: undefined, flags: [] }, "link-down"],
    [{ route: { ...route, type: "unreachable" } }, "no-route"],
    [{ route: { type: "local", dst: SIX, dev: "lo" } }, "usable"],
  ];
  for (const [options, expected] of table) {
    const verdict = judgeUsable(SIX, output(options))!;
    const told = verdict.usable
      ? verdict.unproven ? "usable, unproven" : "usable"
      : verdict.reason;
    assertEquals(told, expected, JSON.stringify(options));
  }
  assertEquals(usableBatch(SIX).split("\n")[0], `route get ${SIX}`);
});

Deno.test("judgeUsable() says nothing of what is not the output of ip", () => {
  fc.assert(fc.property(
    fc.oneof(
      fc.string(),
      fc.json(),
      fc.array(fc.json()).map((a) => a.join("\n")),
    ),
    (text) => {
      const verdict = judgeUsable(SIX, text);
      assert(verdict === undefined || !verdict.usable || verdict.interface);
    },
  ));
  assertEquals(judgeUsable(SIX, ""), undefined);
  assertEquals(judgeUsable(SIX, "Usage: ip"), undefined);
});

Deno.test("whenUsable() asks for an address, and obeys its signal", async () => {
  await assertRejects(
    () => whenUsable({ hostname: "broker.example", port: 1 }),
    TypeError,
    "resolve the name first",
  );
  const abort = new AbortController();
  abort.abort(new Error("enough"));
  await assertRejects(
    () =>
      whenUsable({ hostname: "127.0.0.1", port: 1 }, { signal: abort.signal }),
    Error,
    "enough",
  );
});

testWith({
  name:
    "an address that is being checked, a late route, a silent neighbour: plain Deno hangs or fails, and what waits for the gate connects",
  needs: ["netns"],
  timeout: 120_000,
  fn: () => runInNamespace("./usable_driver.ts"),
});
