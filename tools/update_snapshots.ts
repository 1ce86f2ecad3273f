// deno-lint-ignore-file no-console
/**
 * Writes `tests/testdata/api` and `tests/testdata/published` anew. Look at the
 * difference before you commit it: it is what users will notice.
 *
 * @module
 */
import { publicApis } from "./_api.ts";
import { readMembers } from "./_members.ts";
import { mapFew, publishedFiles } from "./_publish.ts";
import { ROOT_URL, type SnapshotKind, snapshotUrl } from "./_snapshots.ts";

async function write(kind: SnapshotKind, texts: ReadonlyMap<string, string>) {
  const folder = new URL("./", snapshotUrl(kind, "any"));
  await Deno.mkdir(folder, { recursive: true });
  for await (const entry of Deno.readDir(folder)) {
    if (!texts.has(entry.name.replace(/\.txt$/, ""))) {
      await Deno.remove(new URL(entry.name, folder));
    }
  }
  for (const [short, text] of texts) {
    await Deno.writeTextFile(snapshotUrl(kind, short), text);
  }
  console.log(`tests/testdata/${kind}: ${texts.size} written`);
}

const members = readMembers();
await write("api", await publicApis(members));
const files = await mapFew(
  members,
  2,
  async (member) =>
    [
      member.short,
      `${(await publishedFiles(member, ROOT_URL)).join("\n")}\n`,
    ] as const,
);
await write("published", new Map(files));
