/**
 * The public API of each package, compared with `testdata/api`: a change of it
 * shows in review. `deno task update-snapshots` accepts one.
 */
import { assert } from "@std/assert";
import { publicApis } from "../tools/_api.ts";
import { readMembers } from "../tools/_members.ts";
import { compareSnapshot, ROOT_URL } from "../tools/_snapshots.ts";

Deno.test("public API is what the snapshot says", async (t) => {
  const members = readMembers();
  const apis = await publicApis(members, ROOT_URL);
  for (const { short, name } of members) {
    await t.step(name, async () => {
      const api = apis.get(short) ?? "";
      assert(api.startsWith(`# ${name}\n`), `no API of ${name} was read`);
      await compareSnapshot("api", short, api);
    });
  }
});
