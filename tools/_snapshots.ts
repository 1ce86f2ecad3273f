/**
 * The snapshots under `tests/testdata/` and how they are compared.
 */

/** What is kept of each package. */
export type SnapshotKind = "api" | "published";

/** The root of the checkout, wherever the process runs. */
export const ROOT_URL: URL = new URL("../", import.meta.url);

/** Where a snapshot is kept. */
export function snapshotUrl(kind: SnapshotKind, short: string): URL {
  return new URL(`tests/testdata/${kind}/${short}.txt`, ROOT_URL);
}

/** What differs, line by line: `-` is kept, `+` is new; empty when nothing. */
export function differences(kept: string, now: string): string[] {
  const before = kept.split("\n");
  const after = now.split("\n");
  const table = longestCommon(before, after);
  const lines: string[] = [];
  let a = 0;
  let b = 0;
  while (a < before.length || b < after.length) {
    if (a < before.length && b < after.length && before[a] === after[b]) {
      a++;
      b++;
    } else if (
      b >= after.length ||
      (a < before.length && table[a + 1]![b]! >= table[a]![b + 1]!)
    ) lines.push(`- ${before[a++]}`);
    else lines.push(`+ ${after[b++]}`);
  }
  return lines;
}

/** Lengths of the longest common subsequences of all the ends. */
function longestCommon(a: readonly string[], b: readonly string[]): number[][] {
  const table = Array.from(
    { length: a.length + 1 },
    () => new Array<number>(b.length + 1).fill(0),
  );
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i]![j] = a[i] === b[j]
        ? table[i + 1]![j + 1]! + 1
        : Math.max(table[i + 1]![j]!, table[i]![j + 1]!);
    }
  }
  return table;
}

/**
 * Compares with the snapshot that is kept.
 *
 * @throws {Error} With the lines that differ, and how to accept them.
 */
export async function compareSnapshot(
  kind: SnapshotKind,
  short: string,
  now: string,
): Promise<void> {
  let kept = "";
  try {
    kept = await Deno.readTextFile(snapshotUrl(kind, short));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  // A checkout on Windows may have other line ends.
  const changed = differences(kept.replaceAll("\r\n", "\n"), now);
  if (changed.length === 0) return;
  throw new Error(
    `Cannot accept tests/testdata/${kind}/${short}.txt: it changed: if it should, run "deno task update-snapshots" and commit it\n${
      changed.join("\n")
    }`,
  );
}
