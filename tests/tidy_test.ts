/**
 * The repository checks its own taste. Each rule stands in `tools/_tidy.ts` or
 * `tools/_tidy_layout.ts`, and first has to find what is wrong with a small
 * bad example, so that no rule passes because it looks at nothing.
 */
import { assert, assertEquals } from "@std/assert";
import { entryPoints, type Member, readMembers } from "../tools/_members.ts";
import { readSource, type Source } from "../tools/_source.ts";
import * as tidy from "../tools/_tidy.ts";
import * as layout from "../tools/_tidy_layout.ts";
import { listFiles } from "../tools/_walk.ts";

const files = listFiles();
const sources: Source[] = files
  .filter((path) => /(?<!\.d)\.ts$/.test(path))
  .map((path) => readSource(path, Deno.readTextFileSync(path)));
const members = readMembers();

function none(violations: readonly string[]): void {
  if (violations.length === 0) return;
  throw new Error(`${violations.length} found:\n${violations.join("\n")}`);
}

/** Runs a rule over a file that does not exist. */
function broken(
  rule: (source: Source) => string[],
  path: string,
  text: string,
): string[] {
  return rule(readSource(path, text));
}

/** What a rule has to find, and what it has to let pass. */
function bites(
  rule: (source: Source) => string[],
  bad: readonly (readonly [path: string, text: string])[],
  good: readonly (readonly [path: string, text: string])[] = [],
): void {
  for (const [path, text] of bad) {
    assertEquals(broken(rule, path, text).length, 1, `${path}: ${text}`);
  }
  for (const [path, text] of good) {
    assertEquals(broken(rule, path, text), [], `${path}: ${text}`);
  }
}

Deno.test("tidy looks at the whole repository", () => {
  for (const path of ["packages/events/mod.ts", "mod.ts", "tools/test.ts"]) {
    assert(sources.some((source) => source.path === path), path);
  }
  assert(files.every((path) => !path.startsWith(".git/")));
});

Deno.test("tidy: who may import whom", () => {
  const it = "packages/resume/a.ts";
  bites(tidy.checkImports, [
    ["packages/events/a.ts", `import "@holdfast/recovery";`],
    [it, `import type { A } from "@holdfast/netwatch";`],
    [it, `export * from "@holdfast/signal/emitter";`],
    [it, `export type A = import("@holdfast/netwatch").NetworkWatch;`],
    [it, `const a = await import("@holdfast/handoff");`],
    [it, `import { a } from "@holdfast/resume";`],
    [it, `import { a } from "../events/mod.ts";`],
    [it, `import { a } from "../../tools/_walk.ts";`],
    [it, `const a = new URL("../events/a.ts", import.meta.url);`],
    [it, `import { assert } from "@std/assert";`],
    [it, `import { testWith } from "@holdfast/testkit";`],
    [it, `import mqtt from "mqtt";`],
    [it, `import a from "npm:redis";`],
    ["packages/resume/a_test.ts", `import a from "jsr:@std/assert@1";`],
    ["packages/resume/a_test.ts", `import "@holdfast/netwatch";`],
    ["packages/resume/a_test.ts", `import "../signal/mod.ts";`],
    ["packages/resume/a_test.ts", `import "../../tools/broker/spawn.ts";`],
    ["packages/signal/a.ts", `import { connect } from "mqtt";`],
    ["mod.ts", `export { a } from "./packages/events/mod.ts";`],
    ["mod.ts", `export { a } from "./tools/test.ts";`],
    ["mod.ts", `export { a } from "@holdfast/holdfast";`],
    ["demos/a.ts", `import { a } from "../packages/events/_stream.ts";`],
  ], [
    [it, `import "@holdfast/events/emitter"; import "./b.ts";`],
    [it, `import { delay } from "@std/async/delay"; import "node:net";`],
    [it, `// import "@holdfast/netwatch"\nconst a = 'import "mqtt"';`],
    ["packages/resume/a_test.ts", `import "@holdfast/resume";`],
    ["packages/resume/a_test.ts", `import "@std/assert"; import "fast-check";`],
    ["packages/resume/a_test.ts", `import "@holdfast/testkit/proxy";`],
    ["packages/resume/_testing/a.ts", `import "@holdfast/testkit";`],
    ["tools/testkit/a.ts", `export { a } from "../broker/spawn.ts";`],
    ["packages/signal/a.ts", `const { connect } = await import("mqtt");`],
    ["mod.ts", `export { a } from "@holdfast/netwatch"; import "./src/a.ts";`],
    ["demos/a.ts", `import "@holdfast/holdfast"; import "../tools/a.ts";`],
  ]);
  none(sources.flatMap(tidy.checkImports));
});

Deno.test("tidy: file and function sizes", () => {
  const lines = (count: number) => "let a;\n".repeat(count);
  const body = (count: number) => `{\n${"  a();\n".repeat(count - 2)}}`;
  bites(tidy.checkSizes, [
    ["packages/events/a.ts", lines(301)],
    ["packages/events/a.ts", lines(501)],
    ["packages/events/a_test.ts", lines(601)],
    ["packages/events/a.ts", `function f() ${body(71)}`],
    ["packages/events/a.ts", `const f = async () => ${body(71)};`],
    ["packages/events/a.ts", `class A { m() ${body(71)} }`],
  ], [
    ["packages/events/a.ts", lines(300)],
    ["packages/events/a_test.ts", lines(600)],
    ["packages/events/a.ts", `function f() ${body(70)}`],
    ["packages/events/a_test.ts", `function f() ${body(71)}`],
  ]);
  const excused = (source: Source) =>
    tidy.checkSizes(source, { "packages/events/a.ts": "a table" });
  bites(excused, [
    ["packages/events/a.ts", lines(501)],
    ["packages/events/a.ts", lines(20)],
  ], [["packages/events/a.ts", lines(301)]]);
  none(sources.flatMap((source) => tidy.checkSizes(source)));
  none(
    Object.keys(tidy.LONG_FILES).filter((path) => !files.includes(path))
      .map((path) => `LONG_FILES names ${path}, which is gone`),
  );
});

Deno.test("tidy: no console outside command lines", () => {
  bites(tidy.checkConsole, [
    ["packages/events/a.ts", `console.log("a");`],
    ["packages/events/a.ts", `globalThis.console.error("a");`],
    ["packages/events/a_test.ts", `console.log("a");`],
  ], [
    ["packages/events/cli.ts", `console.log("a");`],
    ["demos/a.ts", `console.log("a");`],
    ["packages/events/a.ts", `/** console.log(1) */ const a = "console.log";`],
  ]);
  none(sources.flatMap(tidy.checkConsole));
});

Deno.test("tidy: no test is skipped without a reason", () => {
  const it = "packages/events/a_test.ts";
  bites(tidy.checkSkips, [
    [it, `Deno.test.ignore("a", () => {});`],
    [it, `Deno.test.only("a", () => {});`],
    [it, `Deno.test({ name: "a", ignore: true, fn() {} });`],
    [it, `Deno.test("a", { ignore: Deno.build.os === "linux" }, () => {});`],
    [it, `Deno.test({ name: "a", only: true, fn() {} });`],
    [it, `await t.step({ name: "a", ignore: true, fn() {} });`],
    [it, `testWith({ name: "a", needs: [], ignore: true, fn() {} });`],
  ], [
    [it, `testWith({ name: "a", needs: ["ip"], fn() {} });`],
    [it, `Deno.test("a", () => { parse({ ignore: true }); list.only(1); });`],
  ]);
  none(sources.flatMap(tidy.checkSkips));
});

Deno.test("tidy: the pure core is pure", () => {
  const it = "packages/resume/_stream_core.ts";
  bites(tidy.checkPurity, [
    [it, `const a = Date.now();`],
    [it, `const a = new Date();`],
    [it, `const a = performance.now();`],
    [it, `setTimeout(() => {}, 1);`],
    [it, `globalThis.setTimeout(() => {}, 1);`],
    [it, `const a = Math.random();`],
    [it, `crypto.getRandomValues(a);`],
    [it, `const a = Deno.build.os;`],
    [it, `import { readFile } from "node:fs";`],
    ["packages/netwatch/diff.ts", `await fetch("x");`],
  ], [
    [
      it,
      `export function f(now: number, c: Deno.Conn) { return Math.max(now); }`,
    ],
    [it, `import { isIP } from "node:net"; const a = new Date(1);`],
    ["packages/resume/session.ts", `const a = Date.now();`],
    ["packages/resume/_stream_core_test.ts", `const a = Date.now();`],
  ]);
  none(sources.flatMap(tidy.checkPurity));
  none(layout.checkCores(members, files));
  const [member] = fakeMembers();
  assertEquals(layout.checkCores([member!], ["packages/a/x.ts"]).length, 1);
});

Deno.test("tidy: mod.ts is a list of names", () => {
  const it = "packages/events/mod.ts";
  bites(tidy.checkMod, [
    [it, `export * from "./a.ts";`],
    [it, `export const a = 1;`],
    [
      it,
      `/** @module */\n` +
      `export { a } from "./a.ts";\n`.repeat(tidy.MOD_LINES_MAX + 1),
    ],
  ], [
    [
      it,
      `/** Doc.\n${
        " *\n".repeat(60)
      } * @module */\nexport { a } from "./a.ts";`,
    ],
    [
      it,
      `export { a, type B } from "./a.ts"; export type { C } from "./c.ts";`,
    ],
    ["packages/events/other.ts", `export const a = 1;`],
  ]);
  none(sources.flatMap(tidy.checkMod));
});

Deno.test("tidy: each entry point has a module doc", () => {
  const bad = [
    `export {};`,
    `/** A doc. */\nexport {};`,
    `export {};\n/**\n * Too late.\n * @module\n */`,
    `/** The doc of a constant. */\nconst a = "\n * @module";`,
    `/**\n * @module\n */`,
  ];
  for (const text of bad) {
    assertEquals(tidy.checkModuleDoc("a.ts", text).length, 1, text);
  }
  const doc = `/**\n * What it is.\n *\n * @module\n */\n`;
  for (
    const text of [doc, `#!/bin/x\n${doc}`, `// deno-lint-ignore-file\n${doc}`]
  ) {
    none(tidy.checkModuleDoc("a.ts", text));
  }
  none(
    members.flatMap(entryPoints).filter((path) => files.includes(path))
      .flatMap((path) =>
        tidy.checkModuleDoc(path, Deno.readTextFileSync(path))
      ),
  );
});

function fakeMembers(): Member[] {
  const member = { version: "1.0.0", license: "MIT", exports: {} };
  return [
    { ...member, name: "@holdfast/a", short: "a", folder: "packages/a" },
    { ...member, name: "@holdfast/holdfast", short: "holdfast", folder: "." },
  ];
}

Deno.test("tidy: each package has its files, one version, one licence", () => {
  const root = layout.PACKAGE_FILES;
  assertEquals(layout.checkLayout(fakeMembers(), root), [
    ...root.map((file) => `packages/a/${file}: is missing`),
    "packages/a: has no test",
    "packages/a: has no row in tools/_table.ts",
  ]);
  const [a, top] = fakeMembers();
  assertEquals(
    layout.checkVersions([{ ...a!, version: "1.0.1", license: "" }, top!])
      .length,
    2,
  );
  none(layout.checkVersions(fakeMembers()));
  const exporting = { ...top!, exports: { ".": "./b.ts", "./c": "./_c.ts" } };
  assertEquals(layout.checkLayout([exporting], root).length, 3);
  none(layout.checkLayout(members, files));
  none(layout.checkVersions(members));
});

Deno.test("tidy: each README tells of every error code and event", () => {
  const source = readSource(
    "packages/a/events.ts",
    `export type AErrorCode = "a/gone" | "a/full";
    export interface Opened { readonly type: "opened"; readonly mode: "fast" }
    interface Of<T extends string> { readonly type: T; readonly why: "no" }
    export type AEvent = Opened | Of<"up"> | { readonly type: "closed" | "lost" };
    type Hidden = "hidden"; export type Reason = "because";`,
  );
  assertEquals(
    layout.checkReadme('`a/gone` and "opened", `lost`, closed', "README.md", [
      source,
    ]),
    [
      "README.md: does not tell of `a/full` (packages/a/events.ts:1)",
      "README.md: does not tell of `up` (packages/a/events.ts:4)",
      "README.md: does not tell of `closed` (packages/a/events.ts:4)",
    ],
  );
  none(members.flatMap(({ folder }) => {
    const readme = folder === "." ? "README.md" : `${folder}/README.md`;
    const own = sources.filter(({ path }) =>
      folder === "."
        ? tidy.ownerOf(path) === "holdfast"
        : path.startsWith(`${folder}/`)
    );
    return files.includes(readme)
      ? layout.checkReadme(Deno.readTextFileSync(readme), readme, own)
      : [];
  }));
});

Deno.test("tidy: a suite runs every test file", () => {
  assertEquals(
    layout.checkSuites(["nowhere/a_test.ts", "nowhere/a.ts"]).length,
    1,
  );
  none(layout.checkSuites(files));
});
