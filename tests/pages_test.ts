/**
 * Every link of every page leads somewhere, and every command that a page tells
 * people to type exists, with its options.
 */
import { assert, assertEquals } from "@std/assert";
import { anchorsOf, linksOf, shellLines } from "../tools/_pages.ts";
import { listFiles } from "../tools/_walk.ts";

const files = listFiles();
const pages = files.filter((path) => path.endsWith(".md"))
  .filter((path) => !path.includes("testdata/"));
const { tasks } = JSON.parse(Deno.readTextFileSync("deno.json"));

Deno.test("links, anchors and commands are found where they stand", () => {
  const page = [
    "# A `b`, and *c*",
    "[x](y.md#z) ![p](q.png) `[no](no.md)` [a",
    "b](two.md)",
    "```sh",
    "holdfast watch --json # [no](no.md)",
    "```",
    "# A `b`, and *c*",
  ].join("\n");
  assertEquals(linksOf(page), [
    { line: 2, target: "y.md#z" },
    { line: 2, target: "q.png" },
    { line: 2, target: "two.md" },
  ]);
  assertEquals([...anchorsOf(page)], ["a-b-and-c", "a-b-and-c-1"]);
  assertEquals(shellLines(page), [
    { line: 5, words: ["holdfast", "watch", "--json"] },
  ]);
});

Deno.test("every link of every page leads somewhere", () => {
  assert(pages.length > 15);
  const all = new Set(files);
  const folders = new Set(
    files.flatMap((path) => {
      const parts = path.split("/");
      return parts.map((_, i) => parts.slice(0, i).join("/"));
    }),
  );
  const broken: string[] = [];
  for (const page of pages) {
    const text = Deno.readTextFileSync(page);
    for (const { line, target } of linksOf(text)) {
      if (/^https?:/.test(target)) {
        // Not asked for here; it must be one all the same.
        if (!URL.canParse(target)) broken.push(`${page}:${line}: ${target}`);
        continue;
      }
      const url = new URL(target, `file:///${page}`);
      const path = decodeURI(url.pathname.slice(1)).replace(/\/$/, "");
      const anchor = url.hash.slice(1);
      const there = all.has(path) || folders.has(path);
      const hit = anchor === "" ||
        path.endsWith(".md") && there &&
          anchorsOf(Deno.readTextFileSync(path)).has(decodeURI(anchor));
      if (!there || !hit) broken.push(`${page}:${line}: ${target}`);
    }
  }
  assertEquals(broken, []);
});

/** What the shell completes after each command: its commands and options. */
async function completedWords(): Promise<Map<string, Set<string>>> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", "cli.ts", "completion", "bash"],
    stdin: "null",
  }).output();
  assert(success);
  const script = new TextDecoder().decode(stdout);
  return new Map(
    [...script.matchAll(/^ +(\w+)\) words='([^']*)'/gm)]
      .map(([, name, words]) => [name!, new Set(words!.split(" "))]),
  );
}

Deno.test("every command that a page tells people to type exists, and has its options", async () => {
  const words = await completedWords();
  const wrong: string[] = [];
  let checked = 0;
  for (const page of pages) {
    for (
      const { line, words: typed } of shellLines(Deno.readTextFileSync(page))
    ) {
      const where = `${page}:${line}: ${typed.join(" ")}`;
      const task = typed.indexOf("task");
      if (task > 0 && /deno/.test(typed[task - 1]!)) {
        checked++;
        const name = typed.slice(task + 1).find((word) =>
          !word.startsWith("-")
        );
        // One with a mark stands for several.
        if (name !== undefined && !/[<…*]/.test(name) && !(name in tasks)) {
          wrong.push(`${where}: there is no such task`);
        }
      }
      const at = typed.findIndex((word) => /^(holdfast|cli\.ts)$/.test(word));
      // "-n holdfast" names one.
      if (at < 0 || typed[at - 1] === "-n" || typed.length === at + 1) continue;
      const [command, ...rest] = typed.slice(at + 1);
      if (["completion", "help", "--help", "--version"].includes(command!)) {
        continue;
      }
      checked++;
      const known = words.get(command!);
      if (known === undefined) {
        wrong.push(`${where}: there is no such command`);
        continue;
      }
      // What follows "--" is another program's.
      const end = rest.indexOf("--");
      for (const word of end < 0 ? rest : rest.slice(0, end)) {
        const option = /^--[a-z][a-z-]*/.exec(word)?.[0];
        if (option !== undefined && !known.has(option)) {
          wrong.push(`${where}: ${option} is no option of it`);
        }
      }
    }
  }
  assertEquals(wrong, []);
  assert(checked > 20, `${checked}`);
});
