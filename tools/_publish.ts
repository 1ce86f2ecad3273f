/**
 * What `deno publish` would publish.
 */
import type { Member } from "./_members.ts";

/**
 * The files named by `deno publish --dry-run`, relative to the package.
 * Sizes are left out: they change with every edit.
 */
export function parseDryRun(output: string, folderUrl: string): string[] {
  const files: string[] = [];
  for (
    const match of output.matchAll(/^\s+(file:\/\/\S+) \([\d.]+ ?\w+\)$/gm)
  ) {
    const url = match[1]!;
    files.push(
      decodeURI(url.startsWith(folderUrl) ? url.slice(folderUrl.length) : url),
    );
  }
  return files.sort();
}

/**
 * Rehearses publishing a package and lists its files.
 *
 * @throws {Error} With what Deno said, when the package cannot be published.
 */
export async function publishedFiles(
  member: Member,
  rootUrl: URL,
): Promise<string[]> {
  const folder = new URL(
    member.folder === "." ? "./" : `./${member.folder}/`,
    rootUrl,
  );
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty"],
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  const output = `${decoder.decode(stdout)}\n${decoder.decode(stderr)}`;
  if (!success) {
    throw new Error(
      `Cannot publish ${member.name}: deno said: ${output.trim()}`,
    );
  }
  return parseDryRun(output, folder.href);
}

/** Runs a task for each item, a few at a time; the results in order. */
export async function mapFew<T, R>(
  items: readonly T[],
  atOnce: number,
  task: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await task(items[index]!);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}
