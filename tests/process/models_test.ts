/** The models of `docs/models`, checked by a checker that is not ours. */
import { testWith } from "@holdfast/testkit";
import { assert, assertEquals, assertMatch } from "@std/assert";

const MODEL = new URL("../../docs/models/epochs.pml", import.meta.url).pathname;

/** Searches all states of the model; gives the checker's report. */
async function search(...defines: string[]): Promise<string> {
  const folder = await Deno.makeTempDir();
  const run = async (command: string, ...args: string[]) => {
    const { stdout, stderr, code } = await new Deno.Command(command, {
      args,
      cwd: folder,
    }).output();
    const said = [stdout, stderr].map((one) => new TextDecoder().decode(one))
      .join("");
    return { code, said };
  };
  try {
    for (
      const [command, ...args] of [
        ["spin", ...defines, "-a", MODEL],
        ["gcc", "-O2", "-w", "-DSAFETY", "-o", "pan", "pan.c"],
      ] as const
    ) {
      const { code, said } = await run(command, ...args);
      assertEquals(code, 0, said);
    }
    // -E: a run that has nothing left to do is no fault.
    const { said } = await run("./pan", "-E", "-m100000");
    assert(!said.includes("max search depth too small"), said);
    return said;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

testWith({
  name:
    "spin finds no way in which two servers do one thing twice, or nothing of it, whatever is late, lost or repeated",
  needs: ["spin", "gcc"],
  async fn() {
    const said = await search();
    assertMatch(said, /errors: 0/);
    const states = Number(/(\d+) states, stored/.exec(said)![1]);
    assert(states > 100_000, said);
  },
});

for (
  const [define, what] of [
    ["-DNO_EPOCH", "compares no epochs"],
    ["-DNO_SEQUENCE", "lets late calls through"],
  ] as const
) {
  testWith({
    name: `spin finds the fault of a store that ${what}`,
    needs: ["spin", "gcc"],
    async fn() {
      const said = await search(define);
      assertMatch(said, /assertion violated/);
      assertMatch(said, /errors: 1/);
    },
  });
}
