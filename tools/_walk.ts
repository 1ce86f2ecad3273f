/**
 * The files of the checkout, without asking git: CI may hand out a tree
 * without a repository.
 */

/** Folders that no tool of the repository looks into. */
const SKIPPED = new Set([
  ".coverage",
  ".git",
  ".reports",
  ".site",
  "node_modules",
]);

/**
 * Every file below a folder, as sorted paths with `/` from `root`; none when
 * the folder is absent, the path itself when it is a file.
 */
export function listFiles(path = ".", root = "."): string[] {
  const files: string[] = [];
  visit(path === "." ? "" : path.replace(/\/+$/, ""), root, files);
  return files.sort();
}

function visit(path: string, root: string, files: string[]): void {
  const full = path === "" ? root : `${root}/${path}`;
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(full);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (info.isFile) files.push(path);
  if (!info.isDirectory) return;
  for (const entry of Deno.readDirSync(full)) {
    if (SKIPPED.has(entry.name)) continue;
    visit(path === "" ? entry.name : `${path}/${entry.name}`, root, files);
  }
}

/** Whether a file holds tests, by the names that this repository uses. */
export function isTestFile(path: string): boolean {
  return /[_.]test\.(ts|tsx|js|mjs|jsx)$/.test(path);
}
