// deno-lint-ignore-file no-console
/**
 * `deno task ok`: everything that CI checks, one step after the other. A step
 * that fails does not stop the next, so that one run tells everything.
 *
 * The tests rehearse the publishing of every package (`tests/publish_test.ts`)
 * so that no step of its own is needed for it. The last line counts tests,
 * with each other step that failed as one failure, and is kept in
 * `.reports/total.txt`.
 *
 * @module
 */
import { listFiles } from "./_walk.ts";

/** Markdown whose examples must type-check: what users and authors read. */
const markdown = listFiles()
  .filter((path) => /^([^/]*|docs\/.*|packages\/[^/]+\/[^/]*)\.md$/.test(path));

const STEPS: readonly (readonly [name: string, args: readonly string[]])[] = [
  ["fmt", ["fmt", "--check"]],
  ["lint", ["lint"]],
  ["check", ["check"]],
  ["check examples", ["check", "--doc-only", ...markdown]],
  ["doc lint", ["task", "doc:lint"]],
  ["test", ["task", "test", "--jobs=2"]],
];

async function run(args: readonly string[]): Promise<boolean> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    stdin: "null",
  }).spawn();
  return (await child.status).success;
}

/** What the runner of the tests counted; one failure when it did not. */
async function testCounts(): Promise<{ passed: number; failed: number }> {
  try {
    return JSON.parse(await Deno.readTextFile(".reports/summary.json"));
  } catch (error) {
    console.log(`Cannot read the summary of the tests: ${error}`);
    return { passed: 0, failed: 1 };
  }
}

await Deno.remove(".reports", { recursive: true }).catch(() => {});
await Deno.mkdir(".reports", { recursive: true });
const results: [name: string, success: boolean, seconds: number][] = [];
for (const [name, args] of STEPS) {
  console.log(`\n=== ${name}: deno ${args.join(" ")}`);
  const start = performance.now();
  const success = await run(args);
  results.push([name, success, (performance.now() - start) / 1000]);
}
console.log();
for (const [name, success, seconds] of results) {
  console.log(
    `${success ? "ok    " : "FAILED"} ${name} (${seconds.toFixed(1)} s)`,
  );
}
const counts = await testCounts();
const { passed } = counts;
let failed = counts.failed +
  results.filter(([name, success]) => name !== "test" && !success).length;
if (failed === 0 && results.some(([, success]) => !success)) failed = 1;
const total = `${passed} passed, ${failed} failed`;
await Deno.writeTextFile(".reports/total.txt", `${total}\n`);
console.log(total);
Deno.exit(failed === 0 ? 0 : 1);
