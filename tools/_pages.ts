/** What the pages of the repository link to, and what they tell people to type. */

/** A link of a page. */
export interface PageLink {
  readonly line: number;
  readonly target: string;
}

/** A line of a block of shell. */
export interface ShellLine {
  readonly line: number;
  readonly words: readonly string[];
}

/** Lines with their numbers, without fenced code, or only that of a language. */
function* linesOf(
  text: string,
  language?: string,
): Generator<{ readonly line: number; readonly text: string }> {
  let fence: string | undefined;
  for (const [i, line] of text.split("\n").entries()) {
    const opened = /^ *```(\w*)/.exec(line);
    if (opened !== null) {
      fence = fence === undefined ? opened[1]! : undefined;
      continue;
    }
    if (fence === language) yield { line: i + 1, text: line };
  }
}

/** Every link and picture outside code. */
export function linksOf(text: string): PageLink[] {
  const whole = [...linesOf(text)];
  return whole.flatMap(({ line, text }, i) => {
    // A link may be broken over two lines.
    const next = whole[i + 1]?.text ?? "";
    const own = text.replaceAll(/`[^`]*`/g, (code) => "x".repeat(code.length));
    const joined = `${own} ${next.replaceAll(/`[^`]*`/g, "x")}`;
    return [...joined.matchAll(/\]\(([^()\s]+)\)/g)]
      .filter(({ index }) => {
        const start = joined.lastIndexOf("[", index);
        return start >= 0 && start < own.length;
      })
      .map(([, target]) => ({ line, target: target! }));
  });
}

/** The anchors that GitHub gives the headings of a page. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const { text: line } of linesOf(text)) {
    const heading = /^#{1,6} +(.*)$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const base = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-");
    let anchor = base;
    for (let i = 1; anchors.has(anchor); i++) anchor = `${base}-${i}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The commands in the blocks of shell, without comments. */
export function shellLines(text: string): ShellLine[] {
  return [...linesOf(text, "sh")]
    .map(({ line, text }) => ({
      line,
      words: text.replace(/(^| )#.*$/, "").split(/[\s"']+/).filter(Boolean),
    }))
    .filter(({ words }) => words.length > 0);
}
