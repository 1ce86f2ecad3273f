import { assert, assertEquals, assertRejects } from "@std/assert";
import { missing, runs, testWith } from "@holdfast/testkit";
import { libc, useLibc } from "./_libc.ts";
import { HandoffError } from "./error.ts";
import { openSender } from "./sender.ts";
import { type Language, startReceiver } from "./testdata/receiver_process.ts";
import { type Exact, GIVEN, giveUnderTraffic } from "./testdata/traffic.ts";

// Else the first test would seem to leak it.
useLibc();
libc();
const LINES_MAX = 40;
const NEEDS: Record<Language, Parameters<typeof testWith>[0]["needs"]> = {
  deno: ["linux"],
  python: ["linux", "python3"],
  node: ["linux", "node"],
  c: ["linux", "gcc"],
  go: ["linux"],
};
const FILES: Record<Language, string> = {
  deno: "receive.ts",
  python: "receive.py",
  node: "receive.cjs",
  c: "receive.c",
  go: "receive.go",
};

/** Go is not asked for anywhere, so its absence is named and no failure. */
async function hasGo(): Promise<boolean> {
  try {
    return (await new Deno.Command("go", { args: ["version"] }).output())
      .success;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return false;
  }
}

const languages: Language[] = ["deno", "python", "node", "c"];
if (await hasGo()) languages.push("go");
else {
  Deno.test("the Go receiver is NOT tested here: go is not installed", () => {});
}

for (const language of languages) {
  testWith({
    name: `${
      runs(50, 2500)
    } connections go to ${language} under traffic, byte for byte`,
    needs: NEEDS[language],
    timeout: 600_000,
    fn: async () => {
      await using receiver = await startReceiver(language, "secret");
      await using sender = await openSender(receiver.path, {
        token: "secret",
        timeoutMs: 60_000,
      });
      assertEquals(sender.state, { mode: "scm-rights", phase: "open" });
      const total = runs(50, 2500);
      const wrong: Exact[] = [];
      let next = 0;
      const worker = async (): Promise<void> => {
        while (next < total) {
          const kind = GIVEN[next++ % GIVEN.length]!;
          const bytes = 20_000 + Math.floor(Math.random() * 200_000);
          const exact = await giveUnderTraffic(
            kind,
            bytes,
            (conn, options) => sender.send(conn, options),
          );
          if (!exact.same || exact.sent !== exact.back) wrong.push(exact);
        }
      };
      await Promise.all([worker(), worker(), worker(), worker()]);
      assertEquals(wrong, []);
    },
  });

  testWith({
    name: `the ${language} receiver lets nobody in without the token`,
    needs: NEEDS[language],
    timeout: 60_000,
    fn: async () => {
      await using receiver = await startReceiver(language, "secret");
      const error = await assertRejects(
        () => openSender(receiver.path, { token: "secreT", timeoutMs: 20_000 }),
        HandoffError,
      );
      assert(
        ["handoff/not-trusted", "handoff/peer-gone"].includes(error.code),
        error.code,
      );
    },
  });
}

Deno.test("receivers are short enough to be read", async () => {
  for (const file of Object.values(FILES)) {
    const url = new URL(`./receivers/${file}`, import.meta.url);
    const lines = (await Deno.readTextFile(url)).trimEnd().split("\n").length;
    assert(lines <= LINES_MAX, `${file} has ${lines} lines`);
  }
  assertEquals(missing("sh"), undefined);
});
