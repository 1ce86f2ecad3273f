import { assertEquals, assertThrows } from "@std/assert";
import { parseMember } from "./_members.ts";
import { mapFew, parseDryRun } from "./_publish.ts";
import { differences } from "./_snapshots.ts";
import { inOrder, MAY_IMPORT } from "./_table.ts";

Deno.test("parseDryRun lists the files of the package only", () => {
  const output = `Check mod.ts
Simulating publish of @holdfast/events@0.1.0 with files:
   file:///work/main/packages/events/mod.ts (1.21KB)
   file:///work/main/packages/events/a%20b.ts (35B)
   file:///work/main/packages/events/big.bin (1.5 MB)
Success Dry run complete
`;
  assertEquals(parseDryRun(output, "file:///work/main/packages/events/"), [
    "a b.ts",
    "big.bin",
    "mod.ts",
  ]);
});

Deno.test("inOrder puts each package after those that it imports", () => {
  const names = inOrder(
    Object.keys(MAY_IMPORT).toReversed().map((short) => ({ short })),
  ).map(({ short }) => short);
  for (const [short, imports] of Object.entries(MAY_IMPORT)) {
    for (const other of imports) {
      assertEquals(names.indexOf(other) < names.indexOf(short), true, short);
    }
  }
  assertEquals(names.at(-1), "holdfast");
});

Deno.test("inOrder refuses a circle", () => {
  assertThrows(
    () => inOrder([{ short: "a" }, { short: "b" }], { a: ["b"], b: ["a"] }),
    RangeError,
    "a, b import each other",
  );
});

Deno.test("mapFew keeps the order and the limit", async () => {
  let running = 0;
  let most = 0;
  const results = await mapFew([3, 1, 2, 0], 2, async (item) => {
    most = Math.max(most, ++running);
    for (let turn = 0; turn < item; turn++) await Promise.resolve();
    running--;
    return item * 10;
  });
  assertEquals(results, [30, 10, 20, 0]);
  assertEquals(most, 2);
});

Deno.test("differences shows the lines that changed", () => {
  assertEquals(differences("a\nb\nc\n", "a\nb\nc\n"), []);
  assertEquals(differences("a\nb\nc\n", "a\nx\nc\nd\n"), ["- b", "+ x", "+ d"]);
  assertEquals(differences("", "a\n"), ["+ a"]);
});

Deno.test("parseMember reads exports in both forms", () => {
  const one = parseMember(".", `{"name":"@x/a","exports":"./mod.ts"}`);
  assertEquals(one.exports, { ".": "./mod.ts" });
  assertEquals(one.short, "a");
  assertThrows(
    () => parseMember("b", `{"name":"b"}`),
    TypeError,
    "b/deno.json",
  );
});
