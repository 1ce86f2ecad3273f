import { assertEquals } from "@std/assert";
import { failures } from "@holdfast/recovery";
import { FAILURES_PAGE, renderFailures } from "../tools/failures_doc.ts";

/** Words alone: the formatter breaks lines and pads tables. */
function words(text: string): string[] {
  return text.replace(/\|[\s|:-]*\n/g, "|\n").replace(/-{3,}/g, "")
    .split(/[\s|]+/).filter((word) => word !== "");
}

Deno.test("docs/failures.md is what the catalogue says", async () => {
  const page = await Deno.readTextFile(FAILURES_PAGE);
  assertEquals(words(page), words(renderFailures(failures)));
});
