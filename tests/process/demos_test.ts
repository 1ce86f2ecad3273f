import { assertEquals } from "@std/assert";

// Each with the permissions of its task, and nothing else.
const { tasks } = JSON.parse(await Deno.readTextFile("deno.json")) as {
  tasks: Record<string, { command: string }>;
};

for (const [name, { command }] of Object.entries(tasks)) {
  // The main demo and the page, which does not end, have tests of their own.
  if (!name.startsWith("demo:") || name === "demo:web") continue;
  Deno.test(`deno task ${name} ends well, and prints what it shows`, async () => {
    const [deno, ...args] = command.split(" ");
    assertEquals(deno, "deno");
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...args.slice(0, 1), "--no-prompt", ...args.slice(1)],
      stdin: "null",
      signal: AbortSignal.timeout(30_000),
    }).output();
    const decoder = new TextDecoder();
    assertEquals([code, decoder.decode(stderr)], [0, ""]);
    assertEquals(decoder.decode(stdout).length > 100, true);
  });
}
