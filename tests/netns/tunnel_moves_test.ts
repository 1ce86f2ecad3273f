import { testWith } from "@holdfast/testkit";
import { assert } from "@std/assert";

const PROGRAM = new URL("_tunnel_moves.ts", import.meta.url).pathname;

testWith({
  name:
    "a program's connection through a tunnel goes on while its machine changes its address again and again",
  needs: ["netns"],
  async fn() {
    const { success, stdout, stderr } = await new Deno.Command("unshare", {
      args: [
        ...["-Urn", Deno.execPath(), "run", "--no-prompt", "--no-check"],
        ...["-A", PROGRAM],
      ],
      stdin: "null",
    }).output();
    const said = [stdout, stderr].map((one) => new TextDecoder().decode(one));
    assert(success, said.join(""));
  },
});
