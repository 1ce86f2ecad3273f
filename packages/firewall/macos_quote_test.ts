// What goes through sh on a Mac, in a real sh.
import { assert, assertEquals } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import fc from "fast-check";
import { osascriptStep, quoteShell, shellLine } from "./_macos_quote.ts";

const SOAK = Deno.env.get("HOLDFAST_SOAK") === "1";

const hostile = fc.oneof(
  fc.constantFrom(
    "'",
    "'; exit 7; '",
    "$(id)",
    "`id`",
    "a\nb",
    '"x"',
    "\\",
    "-n",
    "%s",
    "; & | < >",
    "~",
    "*",
  ),
  fc.string({ unit: "grapheme" }),
  fc.stringMatching(/^['"`$\\;\n ()-]{0,20}$/),
).filter((text) => !text.includes("\0"));

testWith({
  name: "macos quoting: a real shell reads back each word, and runs nothing",
  needs: ["sh"],
  fn: readBack,
});

async function readBack(): Promise<void> {
  const words = fc.sample(hostile, SOAK ? 10_000 : 1500).map((text) =>
    text.toWellFormed()
  );
  // One shell, which prints what it was given, each with a NUL behind it.
  const script = words.map((word) => `printf '%s\\0' ${quoteShell(word)}`).join(
    "\n",
  );
  const child = new Deno.Command("/bin/sh", {
    args: ["-s"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // Both at once: more is printed than a pipe takes.
  const writing = writer.write(new TextEncoder().encode(script))
    .then(() => writer.close());
  const { code, stdout, stderr } = await child.output();
  await writing;
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  assertEquals(
    new TextDecoder("utf-8", { ignoreBOM: true }).decode(stdout)
      .split("\0").slice(0, -1),
    words,
  );
}

testWith({
  name: "macos quoting: commands with input, in a real shell",
  needs: ["sh"],
  fn: commandsWithInput,
});

async function commandsWithInput(): Promise<void> {
  const step = (argv: string[], stdin?: string) => ({
    layer: "pf" as const,
    argv,
    stdin,
    sentence: "A sentence",
  });
  const path = '/It\'s $(x); "y"';
  const line = shellLine([
    step(["/usr/bin/printf", "%s|", path, "-n"]),
    step(["/bin/cat", "-"], "pass in 'quick' $HOME\n"),
    step(["/bin/false"]),
    step(["/usr/bin/printf", "never"]),
  ]);
  const { stdout, code } = await new Deno.Command("/bin/sh", {
    args: ["-c", line],
  }).output();
  assertEquals(
    new TextDecoder().decode(stdout),
    `${path}|-n|pass in 'quick' $HOME\n`,
  );
  assertEquals(code, 1);
  // AppleScript reads a fixed script; what is run is only an argument.
  const fixed = osascriptStep([step(["/x"])], "A");
  const other = osascriptStep([step([path])], 'end run " & quit');
  assertEquals(fixed.stdin, other.stdin);
  assertEquals(other.argv[2], `'/It'\\''s $(x); "y"'`);
  assert(!other.argv[2]!.startsWith("-"));
}
