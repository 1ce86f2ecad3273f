import { assertEquals, assertThrows } from "@std/assert";
import { flags, narrow, type Suite, suiteOf, SUITES } from "./_suites.ts";

const TABLE: readonly Suite[] = [
  {
    name: "a",
    paths: ["packages/a"],
    permissions: ["--allow-read=.,$TMP"],
    programs: ["deno", "ip", "nft"],
    doc: true,
  },
  { name: "ab", paths: ["packages/ab"], permissions: [], doc: true },
  { name: "kit", paths: ["tools/kit"], permissions: [], doc: true },
  {
    name: "tools",
    paths: ["tools"],
    permissions: ["--allow-all"],
    programs: ["deno"],
    doc: false,
  },
];

function summary(asked: string[]): [string, readonly string[]][] {
  return narrow(asked, TABLE).map(({ suite, paths }) => [suite.name, paths]);
}

Deno.test("narrow runs every suite when nothing is asked for", () => {
  assertEquals(summary([]).map(([name]) => name), ["a", "ab", "kit", "tools"]);
});

Deno.test("narrow takes a folder above, a suite's own, and a file below", () => {
  assertEquals(summary(["packages"]), [
    ["a", ["packages/a"]],
    ["ab", ["packages/ab"]],
  ]);
  assertEquals(summary(["./packages/a/"]), [["a", ["packages/a"]]]);
  assertEquals(summary(["packages/a/x_test.ts"]), [
    ["a", ["packages/a/x_test.ts"]],
  ]);
});

Deno.test("narrow gives a file to the closest suite only", () => {
  assertEquals(summary(["tools/kit/x_test.ts"]), [
    ["kit", ["tools/kit/x_test.ts"]],
  ]);
  assertEquals(narrow(["tools"], TABLE).map((run) => run.except), [
    [],
    ["tools/kit"],
  ]);
});

Deno.test("narrow refuses a path that no suite runs", () => {
  assertThrows(() => narrow(["packages/c"], TABLE), RangeError, "packages/c");
});

Deno.test("suiteOf does not take a name for its prefix", () => {
  assertEquals(suiteOf("packages/ab/x_test.ts", TABLE)?.name, "ab");
  assertEquals(suiteOf("packages/abc/x_test.ts", TABLE), undefined);
});

Deno.test("flags names installed programs, and Deno by its path", () => {
  const machine = {
    deno: "/opt/deno",
    tmp: "/tmp",
    installed: (program: string) => program === "ip",
  };
  assertEquals(flags(TABLE[0]!, machine), [
    "--allow-read=.,/tmp",
    "--allow-env=HOLDFAST_*",
    "--allow-run=/opt/deno,ip",
  ]);
  assertEquals(flags(TABLE[1]!, machine), [
    "--allow-env=HOLDFAST_*",
  ]);
  assertEquals(flags(TABLE[3]!, machine), ["--allow-all"]);
});

Deno.test("the table names each suite once", () => {
  const names = SUITES.map(({ name }) => name);
  assertEquals(names, [...new Set(names)]);
});
