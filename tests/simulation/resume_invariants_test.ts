/**
 * What a resumable stream promises, by number, and that a test of each is
 * there: a promise that nobody checks is none.
 */
import { assert } from "@std/assert";

const INVARIANTS: Readonly<Record<string, string>> = {
  I1: "what is delivered is a beginning of what was written",
  I2: "no byte comes twice, and none is skipped",
  I3: "acknowledged, received, sent and written bytes: each at most the next",
  I4: "what is not acknowledged is kept, with a transport and without",
  I5: "one transport at a time moves a stream",
  I6: "after a RESUME was answered, older transports bring nothing more",
  I7: "accepted epochs only grow",
  I8: "an epoch has one owner",
  I9: "nothing changes before proof and epoch have passed",
  I10: "a message that is played back or reflected changes nothing",
  I11: "an answer that is lost locks nobody out",
  I12: "once the network holds, everything arrives",
  I13: "memory is bounded, and writers wait exactly as long as it is full",
  I14: "the end comes once, after the last byte",
  I15: "closing ends both sides in bounded time",
  I16: "an end that expired is an error for the other, never a fresh stream",
  I17: "what a lost stream reports as received was received",
  I18: "messages keep their boundaries",
  I19: "with a store: a server that is killed goes on as if it had not been",
  I20: "malformed input is a typed error, and harms nobody else",
  I21: "a flood grows no memory, and takes no live stream's transport",
  I22: "ends of different versions agree, or part",
  I23: "offsets past 2^32 and near 2^53 behave",
  I24: "it behaves as a Deno.Conn does",
  I25: "signs of life of an old transport say nothing of a new one",
};

const FOLDERS = ["packages/resume", "tests/simulation", "tests/process"];

async function titles(): Promise<string[]> {
  const found: string[] = [];
  for (const folder of FOLDERS) {
    const url = new URL(`../../${folder}/`, import.meta.url);
    for await (const { name } of Deno.readDir(url)) {
      if (!name.endsWith("_test.ts")) continue;
      const text = await Deno.readTextFile(new URL(name, url));
      // The names in brackets at the end of a title.
      for (const [, names] of text.matchAll(/\((I\d+(?:, I\d+)*)\)["`]/g)) {
        found.push(...names!.split(", "));
      }
    }
  }
  return found;
}

Deno.test("each invariant of a resumable stream is named by a test, and no other is", async () => {
  const named = new Set(await titles());
  for (const [name, what] of Object.entries(INVARIANTS)) {
    assert(named.has(name), `no test names ${name}: ${what}`);
  }
  for (const name of named) assert(name in INVARIANTS, `${name}: unknown`);
});
