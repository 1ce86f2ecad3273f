/**
 * Random lives of a session over the real stream core, in virtual time: cuts
 * that one side sees, old transports that deliver late, resumes that overtake
 * each other, sleeps, moves to other processes. A failure prints the command
 * that lives the same life again.
 */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { runs } from "@holdfast/testkit";
import { type Life, live } from "./_schedule.ts";

const COMMAND = "deno task test tests/simulation/resume_schedules_test.ts";

function liveAll(from: number, count: number, broken = {}): Life[] {
  const lives: Life[] = [];
  for (let seed = from; seed < from + count; seed++) {
    try {
      lives.push(live(seed, broken));
    } catch (error) {
      throw new Error(
        `${(error as Error).message}\nHOLDFAST_SEED=${seed} ${COMMAND}`,
        { cause: error },
      );
    }
  }
  return lives;
}

const only = Deno.env.get("HOLDFAST_SEED");

Deno.test("no byte is lost, doubled or reordered in any life of a session (I1, I2, I3, I4, I6, I7, I11, I12, I13, I14, I15, I16, I17, I20, I25)", () => {
  if (only !== undefined) {
    liveAll(Number(only), 1);
    return;
  }
  const count = runs(10_000, 1_000_000);
  const total = { resumed: 0, ignored: 0, bytes: 0 };
  const outcomes = new Set<string>();
  // In parts, so that a soak run does not keep a million lives.
  for (let from = 0; from < count; from += 10_000) {
    for (const life of liveAll(from, Math.min(10_000, count - from))) {
      total.resumed += life.resumed;
      total.ignored += life.ignored;
      total.bytes += life.bytes;
      outcomes.add(life.outcome);
    }
  }
  const line = `  ${count} schedules: ${total.resumed} resumes, ` +
    `${total.bytes} bytes, ${total.ignored} late bytes ignored\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(line));
  // Each kind of end came about: the check looked at all of them.
  for (const outcome of ["closed/closed", "expired/expired", "gone/expired"]) {
    assert(outcomes.has(outcome), outcome);
  }
  assert(total.resumed > count / 2 && total.ignored > count);
});

Deno.test("a seed lives the same life each time", () => {
  for (const seed of [1, 77, 4_711]) assertEquals(live(seed), live(seed));
});

Deno.test("with replay switched off the schedules find it, and name the command", () => {
  const error = assertThrows(() => liveAll(0, 200, { skipReplay: true }));
  assertMatch((error as Error).message, /\nHOLDFAST_SEED=\d+ deno task test /);
});
