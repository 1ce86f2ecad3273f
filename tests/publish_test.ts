/**
 * Each package can be published, with the files of `testdata/published` and
 * no others. `deno task update-snapshots` accepts a change.
 */
import { assertArrayIncludes, assertEquals } from "@std/assert";
import { readMembers } from "../tools/_members.ts";
import { mapFew, publishedFiles } from "../tools/_publish.ts";
import { compareSnapshot, ROOT_URL } from "../tools/_snapshots.ts";

/** What nobody needs who only uses a package. */
const UNWANTED =
  /(_test|_bench)\.tsx?$|(^|\/)(testdata|_testing|tests|bench|demos|tools|packages)\/|deno\.lock$/;

Deno.test("published files are what the snapshot says", async (t) => {
  // A rehearsal is a process of its own that checks types: two at a time.
  const members = readMembers();
  const lists = await mapFew(
    members,
    2,
    (member) =>
      publishedFiles(member, ROOT_URL).catch((error: unknown) => error),
  );
  for (const [index, { name, short }] of members.entries()) {
    await t.step(name, async () => {
      const files = lists[index];
      if (!Array.isArray(files)) throw files;
      assertArrayIncludes(files, [
        "LICENSE",
        "README.md",
        "deno.json",
        "mod.ts",
      ]);
      assertEquals(files.filter((file) => UNWANTED.test(file)), []);
      await compareSnapshot("published", short, `${files.join("\n")}\n`);
    });
  }
});
