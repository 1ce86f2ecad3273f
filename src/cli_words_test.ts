import { assertEquals } from "@std/assert";
import { wordsOf } from "./_cli_completion.ts";
import { nearest } from "./_cli_table.ts";

Deno.test("what is completed is read from the help of a command", () => {
  const help = `Does a thing.

Usage:
  x go [--fast] FILE
  x stop

  --fast   hurries

Permissions: --allow-net and --ignore-env.`;
  assertEquals(wordsOf("x", help), {
    commands: ["go", "stop"],
    options: ["--fast", "--help"],
  });
  const single = "Usage:\n  check A\n  doctor B\n";
  assertEquals(wordsOf("check", single).commands, []);
  assertEquals(wordsOf("inspector", single).commands, ["check", "doctor"]);
});

Deno.test("a word that is two letters off is taken for what was meant", () => {
  const names = ["watch", "doctor", "tunnel"];
  assertEquals(nearest("wacth", names), "watch");
  assertEquals(nearest("tunel", names), "tunnel");
  assertEquals(nearest("xyz", names), undefined);
  assertEquals(nearest("a", []), undefined);
});
