/**
 * Every interleaving of small scripts over the real stream core. A failure
 * prints the shortest schedule that leads to it, and the command that goes
 * through it again.
 */
import { assertThrows } from "@std/assert";
import { runs } from "@holdfast/testkit";
import { Dead, type Script, Search } from "./_search.ts";

/** Buffers so small that they fill; silence is no part of this. */
const end = (sendMax: number, window: number) => ({
  sendMax,
  window,
  heartbeatMs: 1e9,
});

// `runs` gives the first number in everyday use, the second in a soak run.
const SCRIPTS: Readonly<Record<string, Script>> = {
  "one writer, three cuts": {
    does: [[2], []],
    ends: [end(4, 4), end(4, 2)],
    cuts: 3,
    tears: runs(1, 2),
    moves: runs(1, 2),
  },
  "a writer that ends": {
    does: [[2, 1, "fin"], []],
    ends: [end(4, 4), end(4, 2)],
    cuts: runs(1, 3),
    tears: 1,
    moves: 1,
  },
  "a server that writes more than its buffer holds": {
    does: [[], [2, 1]],
    ends: [end(1, 4), end(1, 4)],
    cuts: runs(2, 3),
    tears: 0,
    moves: 1,
  },
  "a client that writes more than its buffer holds": {
    does: [[2, 1], []],
    ends: [end(1, 4), end(1, 4)],
    cuts: runs(2, 3),
    tears: 0,
    moves: 1,
  },
  "both write": {
    does: [[2], [1]],
    ends: [end(4, 2), end(4, 2)],
    cuts: 1,
    tears: 1,
    moves: runs(0, 1),
  },
  "both write, cut twice": {
    does: [[1], [1]],
    ends: [end(1, 1), end(1, 1)],
    cuts: 2,
    tears: runs(0, 1),
    moves: 0,
  },
  "both end": {
    does: [[1, "fin"], ["fin"]],
    ends: [end(4, 2), end(4, 2)],
    cuts: 1,
    tears: 0,
    moves: 1,
  },
  "acknowledgements that wait for more": {
    does: [[2, 1], [1]],
    ends: [end(3, 9), end(3, 9)],
    cuts: 1,
    tears: 0,
    moves: 0,
  },
  "a client that closes": {
    does: [[1, "fin", "close"], [1]],
    ends: [end(4, 2), end(4, 2)],
    cuts: 1,
    tears: 0,
    moves: 1,
  },
  "a server that closes": {
    does: [[1], [1, "close"]],
    ends: [end(4, 2), end(4, 2)],
    cuts: 1,
    tears: 0,
    moves: runs(0, 1),
  },
  "both close with more to say than the other takes": {
    does: [[2, "close"], [2, "close"]],
    ends: [end(4, 1), end(4, 1)],
    cuts: runs(0, 1),
    tears: 0,
    moves: 0,
  },
};

const FILE = "tests/simulation/resume_exhaustive_test.ts";

/** `HOLDFAST_SCHEDULE`: the name of a script, a colon, and its steps as JSON. */
function wanted(name: string): string[] | undefined {
  const value = Deno.env.get("HOLDFAST_SCHEDULE");
  if (value === undefined) return undefined;
  const colon = value.indexOf(":");
  return value.slice(0, colon) === name
    ? JSON.parse(value.slice(colon + 1))
    : [];
}

function search(name: string, script: Script): void {
  const found = new Search(script);
  const schedule = wanted(name);
  if (schedule !== undefined) return found.replay(schedule);
  try {
    found.run();
  } catch (error) {
    if (!(error instanceof Dead)) throw error;
    throw new Error(
      `${error.message}\nHOLDFAST_SCHEDULE='${name}:${error.schedule}' deno task test ${FILE}`,
      { cause: error },
    );
  }
  const { states, steps, schedules } = found;
  const line = `  ${states} states, ${steps} steps, ${
    schedules.toPrecision(3)
  } schedules: ${name}\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(line));
}

for (const [name, script] of Object.entries(SCRIPTS)) {
  Deno.test(
    `every schedule of ${name} keeps every byte (I1, I2, I3, I4, I6, I11, I12, I13, I14, I15)`,
    () => search(name, script),
  );
}

Deno.test("the search finds a core that replays nothing (I12)", () => {
  const lossy = (window: number) => ({ ...end(4, window), skipReplay: true });
  const script = SCRIPTS["one writer, three cuts"]!;
  const found = new Search({ ...script, ends: [lossy(4), lossy(2)] });
  const error = assertThrows(() => found.run(), Dead);
  // The schedule that it gives leads there again.
  const again = new Search({ ...script, ends: [lossy(4), lossy(2)] });
  assertThrows(() => again.replay(JSON.parse(error.schedule)), Error);
});
