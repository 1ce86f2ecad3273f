/**
 * The rules of `tests/tidy_test.ts` about packages as a whole.
 */
import type { Member } from "./_members.ts";
import type { Source } from "./_source.ts";
import { suiteOf } from "./_suites.ts";
import { MAY_IMPORT } from "./_table.ts";
import { isPureFile, roleOf } from "./_tidy.ts";
import { isTestFile } from "./_walk.ts";

/** What every package has. */
export const PACKAGE_FILES: readonly string[] = [
  "deno.json",
  "README.md",
  "LICENSE",
  "mod.ts",
];

function prefix(member: Member): string {
  return member.folder === "." ? "" : `${member.folder}/`;
}

/** Each package has its files, at least one test, and a row in the table. */
export function checkLayout(
  members: readonly Member[],
  files: readonly string[],
): string[] {
  const all = new Set(files);
  return members.flatMap((member) => {
    const at = prefix(member);
    const found = PACKAGE_FILES.filter((file) => !all.has(`${at}${file}`))
      .map((file) => `${at}${file}: is missing`);
    if (at !== "" && !files.some((f) => f.startsWith(at) && isTestFile(f))) {
      found.push(`${member.folder}: has no test`);
    }
    if (!(member.short in MAY_IMPORT)) {
      found.push(`${member.folder}: has no row in tools/_table.ts`);
    }
    for (const [key, file] of Object.entries(member.exports)) {
      const path = at + file.replace(/^\.\//, "");
      if (!all.has(path)) found.push(`${path}: exported as "${key}", missing`);
      if (/(^|\/)_/.test(file)) {
        found.push(`${path}: exported as "${key}", but its name is private`);
      }
    }
    return found;
  });
}

/** All packages have one version and one licence. */
export function checkVersions(members: readonly Member[]): string[] {
  const root = members.find(({ folder }) => folder === ".");
  return members.flatMap(({ folder, version, license }) => [
    ...(version === root?.version ? [] : [
      `${folder}/deno.json: version ${version}, the root has ${root?.version}`,
    ]),
    ...(license === "MIT" ? [] : [`${folder}/deno.json: license is not MIT`]),
  ]);
}

/** Each error code and event type stands in the package's README. */
export function checkReadme(
  readme: string,
  readmePath: string,
  sources: readonly Source[],
): string[] {
  const missing = new Map<string, string>();
  for (const source of sources) {
    if (roleOf(source.path) !== "implementation") continue;
    for (const { what, line } of source.names) {
      if (new RegExp(`[\`"]${escape(what)}[\`"]`).test(readme)) continue;
      missing.set(what, `${source.path}:${line}`);
    }
  }
  return [...missing].map(([what, where]) =>
    `${readmePath}: does not tell of \`${what}\` (${where})`
  );
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}

/** Every test file is run by a suite of `deno task test`. */
export function checkSuites(files: readonly string[]): string[] {
  return files.filter(isTestFile)
    .filter((file) => !file.includes("/testdata/"))
    .filter((file) => suiteOf(file) === undefined)
    .map((file) => `${file}: no suite of tools/_suites.ts runs it`);
}

/** A package that has a core says so in the name of at least one file. */
export function checkCores(
  members: readonly Member[],
  files: readonly string[],
): string[] {
  return members
    .filter(({ folder }) => folder !== "." && folder !== "packages/events")
    .filter(({ folder }) =>
      !files.some((file) => file.startsWith(`${folder}/`) && isPureFile(file))
    )
    .map(({ folder }) =>
      `${folder}: no file of its pure core matches PURE_FILES in tools/_tidy_lists.ts`
    );
}
