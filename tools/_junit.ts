/**
 * What a JUnit report of `deno test` says: the pure part of the runner.
 */

/** How one test, or one step of a test, ended. */
export type Outcome = "passed" | "failed" | "left-out";

/** One test of a report. */
export interface TestCase {
  /** Where it stands, as the report names it. */
  readonly file: string;
  /** Its name; a step's follows its test's, after `" > "`. */
  readonly name: string;
  /** How it ended. */
  readonly outcome: Outcome;
}

/** What is counted of a suite. */
export interface Tally {
  /** Tests that passed; steps are not counted by themselves. */
  readonly passed: number;
  /** Tests that failed. */
  readonly failed: number;
  /** Tests and steps that were ignored, by name. */
  readonly leftOut: readonly string[];
}

const ENTITIES: Record<string, string> = {
  amp: "&",
  apos: "'",
  gt: ">",
  lt: "<",
  quot: '"',
};

function unescapeXml(text: string): string {
  return text.replace(/&(#x[0-9a-fA-F]+|#\d+|\w+);/g, (whole, name: string) => {
    if (name.startsWith("#x")) {
      return String.fromCodePoint(parseInt(name.slice(2), 16));
    }
    if (name.startsWith("#")) {
      return String.fromCodePoint(parseInt(name.slice(1), 10));
    }
    return ENTITIES[name] ?? whole;
  });
}

function attribute(tag: string, name: string): string {
  const found = new RegExp(`\\s${name}="([^"]*)"`).exec(tag);
  return unescapeXml(found?.[1] ?? "");
}

/**
 * Reads the tests of a report, in its order. Text inside a report is escaped,
 * so that a `<` always starts a tag and this needs no XML parser.
 *
 * @throws {TypeError} When the text is not a complete report.
 */
export function parseJunit(xml: string): TestCase[] {
  if (!/<testsuites[\s>]/.test(xml) || !/<\/testsuites>\s*$/.test(xml)) {
    throw new TypeError(
      "Cannot read the test report: it is cut off or no JUnit report: run the suite again",
    );
  }
  const cases: TestCase[] = [];
  const pattern = /<testcase\s[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g;
  for (const match of xml.matchAll(pattern)) {
    const tag = match[0].slice(0, match[0].indexOf(">") + 1);
    const body = match[1] ?? "";
    cases.push({
      file: attribute(tag, "classname"),
      name: attribute(tag, "name"),
      outcome: /<(failure|error)[\s>/]/.test(body)
        ? "failed"
        : /<skipped[\s>/]/.test(body)
        ? "left-out"
        : "passed",
    });
  }
  return cases;
}

/** Whether `--filter` lets a test run: a part of its name, or `/a pattern/`. */
export function matchesFilter(name: string, filter?: string): boolean {
  if (filter === undefined) return true;
  const pattern = /^\/(.*)\/$/s.exec(filter)?.[1];
  return pattern === undefined
    ? name.includes(filter)
    : new RegExp(pattern).test(name);
}

/**
 * Counts a report. Deno reports what `--filter` left aside as skipped too:
 * with the same filter given here it is no left-out test.
 */
export function tally(cases: readonly TestCase[], filter?: string): Tally {
  const names = new Set(cases.map(({ file, name }) => `${file}\n${name}`));
  let passed = 0;
  let failed = 0;
  const leftOut: string[] = [];
  for (const { file, name, outcome } of cases) {
    if (outcome === "left-out") {
      const isStep = isStepOf(names, file, name);
      if (isStep || matchesFilter(name, filter)) {
        leftOut.push(`${name} (${file})`);
      }
    } else if (isStepOf(names, file, name)) {
      continue; // a failed step fails its test, which is counted
    } else if (outcome === "failed") failed++;
    else passed++;
  }
  return { passed, failed, leftOut };
}

function isStepOf(names: ReadonlySet<string>, file: string, name: string) {
  for (
    let at = name.indexOf(" > ");
    at >= 0;
    at = name.indexOf(" > ", at + 1)
  ) {
    if (names.has(`${file}\n${name.slice(0, at)}`)) return true;
  }
  return false;
}
