import { testWith } from "@holdfast/testkit";
import { assert } from "@std/assert";

const PROGRAM = new URL("_resume_watch.ts", import.meta.url).pathname;

testWith({
  name:
    "a stream leaves a dead path, and tries a new one, on the word of the network watch",
  needs: ["netns"],
  async fn() {
    const { success, stderr } = await new Deno.Command("unshare", {
      args: [
        ...["-Urn", Deno.execPath(), "run", "--no-prompt", "--no-check"],
        ...["--allow-net", "--allow-run", "--allow-sys", PROGRAM],
      ],
      stdin: "null",
    }).output();
    assert(success, new TextDecoder().decode(stderr));
  },
});
