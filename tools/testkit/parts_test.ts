import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { missing, runs, soaking, testWith } from "./mod.ts";

/** Runs testdata/needs.ts where the PATH has nothing but `sh`. */
async function runNeeds(
  require: string,
): Promise<[code: number, text: string]> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      `${folder}/sh`,
      '#!/bin/sh\nexec /bin/sh "$@"\n',
      { mode: 0o755 },
    );
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        "--no-check",
        "--no-prompt",
        "--allow-run=sh,firewall-cmd",
        "--allow-env=HOLDFAST_REQUIRE",
        "tools/testkit/testdata/needs.ts",
      ],
      env: { NO_COLOR: "1", HOLDFAST_REQUIRE: require, PATH: folder },
    }).output();
    const decoder = new TextDecoder();
    return [code, decoder.decode(stdout) + decoder.decode(stderr)];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

testWith({
  name: "a missing part leaves the test out, by name and with the reason",
  needs: ["sh"],
  async fn() {
    const [code, text] = await runNeeds("");
    assertEquals(code, 0, text);
    assertStringIncludes(text, "with a part that is here ... ok");
    assertStringIncludes(
      text,
      "with a part that is not here [left out: firewall-cmd is not installed] ... ignored",
    );
  },
});

testWith({
  name: "a missing part fails the test where all are required",
  needs: ["sh"],
  async fn() {
    const [code, text] = await runNeeds("all");
    assertEquals(code, 1, text);
    assertStringIncludes(text, "with a part that is here ... ok");
    assertStringIncludes(text, "with a part that is not here ... FAILED");
    assertStringIncludes(text, "firewall-cmd is not installed");
    assertStringIncludes(text, "tools/setup_debian.sh");
  },
});

testWith({
  name: "netns says a network namespace can be made only if one can",
  needs: ["unshare"],
  async fn() {
    const { success } = await new Deno.Command("unshare", {
      args: ["-Urn", "sh", "-c", "ip link set lo up"],
      stdout: "null",
      stderr: "null",
    }).output();
    assertEquals(missing("netns") === undefined, success);
  },
});

Deno.test("systems are parts, so that tests of one need no other skip", () => {
  assertEquals(missing("linux") === undefined, Deno.build.os === "linux");
  assertEquals(missing("unix") === undefined, Deno.build.os !== "windows");
});

Deno.test("runs makes more runs in a soak run only", () => {
  assertEquals(runs(7), soaking() ? 700 : 7);
  assertEquals(runs(7, 8), soaking() ? 8 : 7);
  assert(runs(1) >= 1);
});
