// deno-lint-ignore-file no-console
/**
 * The runner behind `deno task test [paths] [flags of deno test]`.
 *
 * Runs the suites one after the other, or `--jobs=2` at a time, each with its
 * own permissions, names what had to be left out and why, and ends with the
 * line `N passed, N failed`. A suite that ends badly without a failed test in its
 * report (a crash, a type error, an error while loading) counts as a failure,
 * and so does a left-out test under `HOLDFAST_REQUIRE=all`.
 *
 * @module
 */
import { parseJunit, type Tally, tally } from "./_junit.ts";
import { flags, isWithin, type Machine, narrow, type Run } from "./_suites.ts";
import { isTestFile, listFiles } from "./_walk.ts";

/** Where the reports go. */
export const REPORTS = ".reports";
/** A suite that takes longer hangs; `--limit` sets another number. */
const LIMIT_SECONDS = 6 * 60;
const LIMIT_SECONDS_SOAK = 60 * 60;
/** What an interrupted suite has for its report. */
const REPORT_MS = 10_000;
/** How long the output of a suite that has ended may be held open. */
const OUTPUT_MS = 2_000;

interface Result extends Tally {
  readonly name: string;
  /** What went wrong beside failed tests. */
  readonly trouble?: string | undefined;
}

interface Request {
  readonly paths: readonly string[];
  readonly passOn: readonly string[];
  readonly filter?: string | undefined;
  readonly limitSeconds: number;
  /** How many suites run at a time. */
  readonly jobs: number;
}

/** Tells paths from flags; `--filter` is the one flag that takes a word. */
function parse(args: readonly string[]): Request {
  const paths: string[] = [];
  const passOn: string[] = [];
  let filter: string | undefined;
  let jobs = 1;
  let limitSeconds = Deno.env.get("HOLDFAST_SOAK") === "1"
    ? LIMIT_SECONDS_SOAK
    : LIMIT_SECONDS;
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]!;
    if (arg === "--filter") {
      filter = args[++index];
      if (filter === undefined) {
        throw new RangeError(
          "Cannot filter tests: --filter has no value: add a part of a name",
        );
      }
      passOn.push(`--filter=${filter}`);
    } else if (arg.startsWith("--limit=")) {
      limitSeconds = Number(arg.slice("--limit=".length));
      if (!(limitSeconds > 0)) {
        throw new RangeError(
          `Cannot limit suites: "${arg}" names no seconds: use --limit=240`,
        );
      }
    } else if (arg.startsWith("--jobs=")) {
      jobs = Number(arg.slice("--jobs=".length));
      if (!(Number.isInteger(jobs) && jobs > 0)) {
        throw new RangeError(
          `Cannot run suites: "${arg}" names no number of them: use --jobs=2`,
        );
      }
    } else if (arg.startsWith("-")) {
      if (arg.startsWith("--filter=")) filter = arg.slice("--filter=".length);
      passOn.push(arg);
    } else paths.push(arg);
  }
  return { paths, passOn, filter, limitSeconds, jobs };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function thisMachine(): Machine {
  const windows = Deno.build.os === "windows";
  const folders = (Deno.env.get("PATH") ?? "").split(windows ? ";" : ":");
  const tmp = windows
    ? Deno.env.get("TEMP") ?? "C:\\Windows\\Temp"
    : Deno.env.get("TMPDIR") ?? "/tmp";
  return {
    deno: Deno.execPath(),
    tmp: tmp.replace(/(.)[/\\]+$/, "$1"),
    installed: (program) =>
      program.startsWith("/")
        ? exists(program)
        : folders.some((folder) =>
          exists(`${folder}/${program}${windows ? ".exe" : ""}`)
        ),
  };
}

/**
 * What to name to `deno test`. Folders only where their examples run as well:
 * Deno 2.9.6 finds no test in a folder that has workspace members inside it
 * (`tools`), without a word.
 */
function modules({ suite, paths, except }: Run): string[] {
  if (suite.doc) return paths.filter(exists);
  return paths.flatMap((path) => listFiles(path))
    .filter((file) => isTestFile(file) || paths.includes(file))
    .filter((file) => !except.some((other) => isWithin(file, other)));
}

/**
 * Waits for a suite. One that hangs is interrupted, upon which Deno still
 * writes its report, with the test that hung as failed, and ends.
 */
async function within(child: Deno.ChildProcess, seconds: number) {
  let late = false;
  let last: ReturnType<typeof setTimeout> | undefined;
  const first = setTimeout(() => {
    late = true;
    last = setTimeout(() => child.kill("SIGKILL"), REPORT_MS);
    child.kill(Deno.build.os === "windows" ? "SIGKILL" : "SIGINT");
  }, seconds * 1000);
  const { success, code } = await child.status;
  clearTimeout(first);
  clearTimeout(last);
  return { late, success, code };
}

async function runSuite(run: Run, request: Request): Promise<Result> {
  const { suite } = run;
  const report = `${REPORTS}/${suite.name}.xml`;
  await Deno.remove(report).catch(() => {}); // an old one must not be counted
  const args = [
    "test",
    "--trace-leaks",
    "--no-prompt",
    "--permit-no-files",
    `--junit-path=${report}`,
    ...(suite.doc ? ["--doc"] : []),
    ...flags(suite, thisMachine()),
    ...request.passOn,
    ...run.paths,
  ];
  const heading = `\n== ${suite.name}: deno ${args.join(" ")}`;
  // Of several at a time each is told when it has ended.
  const output = request.jobs === 1 ? "inherit" : "piped";
  if (output === "inherit") console.log(heading);
  const child = new Deno.Command(Deno.execPath(), {
    ...{ args, stdin: "null", stdout: output, stderr: output },
  }).spawn();
  const told = output === "piped"
    ? [textOf(child.stdout), textOf(child.stderr)]
    : [];
  const { late, success, code } = await within(child, request.limitSeconds);
  if (output === "piped") {
    const texts = await Promise.all(told.map((one) => one.end()));
    const lines = texts.map(({ text }) => text.trimEnd());
    console.log([heading, ...lines].join("\n"));
  }
  let counts: Tally = { passed: 0, failed: 0, leftOut: [] };
  try {
    const xml = await Deno.readTextFile(report);
    counts = tally(parseJunit(xml), request.filter);
  } catch (error) {
    if (success) return { ...counts, name: suite.name, trouble: `${error}` };
  }
  const trouble = late
    ? `took longer than ${request.limitSeconds} seconds`
    : !success && counts.failed === 0
    ? `ended with code ${code} and no failed test`
    : undefined;
  return { ...counts, name: suite.name, trouble };
}

/** Collects an output, which a process that a test left may hold open. */
function textOf(
  stream: ReadableStream<Uint8Array>,
): { end(): Promise<{ text: string }> } {
  const found = { text: "" };
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  const reading = (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      found.text += value;
    }
  })();
  return {
    async end() {
      const timer = setTimeout(() => void reader.cancel(), OUTPUT_MS);
      await reading;
      clearTimeout(timer);
      return found;
    },
  };
}

/** Counts everything, says it, and keeps it in `.reports/summary.json`. */
async function conclude(results: readonly Result[]): Promise<number> {
  const requireAll = Deno.env.get("HOLDFAST_REQUIRE") === "all";
  let passed = 0;
  let failed = 0;
  console.log();
  for (const result of results) {
    passed += result.passed;
    failed += result.failed || (result.trouble === undefined ? 0 : 1);
    for (const test of result.leftOut) {
      if (requireAll) failed++;
      console.log(`left out: ${result.name}: ${test}`);
    }
    if (result.failed > 0) {
      console.log(`failed: ${result.name}: ${result.failed} of its tests`);
    }
    if (result.trouble !== undefined) {
      console.log(`failed: ${result.name}: ${result.trouble}`);
    }
  }
  const summary = { passed, failed, suites: results };
  await Deno.writeTextFile(
    `${REPORTS}/summary.json`,
    `${JSON.stringify(summary, undefined, 2)}\n`,
  );
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** Runs what the arguments ask for; the exit code. */
export async function main(args: string[]): Promise<number> {
  let request: Request;
  let runs: Run[];
  try {
    request = parse(args);
    runs = narrow(request.paths);
    const absent = request.paths.find((path) => !exists(path));
    if (absent !== undefined) {
      throw new RangeError(
        `Cannot test "${absent}": no such file or folder: check the path`,
      );
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(error.message);
    return 2;
  }
  await Deno.mkdir(REPORTS, { recursive: true });
  await Deno.remove(`${REPORTS}/summary.json`).catch(() => {});
  const waiting = runs.map((run) => ({ ...run, paths: modules(run) }))
    .filter(({ paths }) => paths.length > 0)
    .map((run, index) => ({ run, index }));
  const results: Result[] = [];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      results[next.index] = await runSuite(next.run, request);
    }
  };
  await Promise.all(Array.from({ length: request.jobs }, lane));
  return await conclude(results);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
