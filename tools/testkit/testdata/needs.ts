/** A module of tests for parts_test.ts, which runs it in a process. */
import { testWith } from "../mod.ts";

testWith({
  name: "with a part that is here",
  needs: ["sh"],
  async fn() {
    await new Deno.Command("sh", { args: ["-c", "exit 0"] }).output();
  },
});

testWith({
  name: "with a part that is not here",
  needs: ["sh", "firewalld"],
  fn() {
    throw new Error("this must never run");
  },
});
