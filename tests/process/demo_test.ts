import { assert, assertEquals, assertMatch } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { createHash } from "node:crypto";
import process from "node:process";

/** The permissions of the task `demo`. */
const PERMISSIONS = [
  "--ignore-env",
  "--allow-net=127.0.0.0/8",
  "--allow-read",
  "--allow-write=.",
  "--allow-run",
];
const MIB = 1024 * 1024;

interface Demo {
  readonly code: number;
  readonly lines: string[];
  readonly stderr: string;
}

async function runDemo(args: string[]): Promise<Demo> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...PERMISSIONS, "demos/main.ts", ...args],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    lines: decoder.decode(stdout).trimEnd().split("\n"),
    stderr: decoder.decode(stderr),
  };
}

async function sha256(path: string): Promise<string> {
  return createHash("sha256").update(await Deno.readFile(path)).digest("hex");
}

Deno.test("the demo's table is true: every byte arrives, through all the harm", async () => {
  const folder = ".demo-test";
  try {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const { code, lines, stderr } = await runDemo([
      "--json",
      "--keep",
      folder,
      "--seed",
      String(seed),
    ]);
    const replay = `replay: deno task demo --json --seed ${seed}`;
    assertEquals(stderr, "", replay);
    const summary = JSON.parse(lines.at(-1)!);
    assertEquals([code, summary.ok], [0, true], replay);
    for (
      const [sent, received] of [["up", "up-received"], [
        "down",
        "down-received",
      ]]
    ) {
      const hashes = [
        await sha256(`${folder}/${sent}`),
        await sha256(`${folder}/${received}`),
      ];
      assertEquals(hashes[0], hashes[1], replay);
      assertEquals(summary[sent!].received.sha256, hashes[1]);
      assertEquals((await Deno.stat(`${folder}/${received}`)).size, 64 * MIB);
    }
    assert(await sha256(`${folder}/up`) !== await sha256(`${folder}/down`));
    assertEquals(
      [summary.cuts, summary.bytesLost, summary.duplicates],
      [3, 0, 0],
    );
    // Six harms, or fewer where the system lacks something, which is said.
    assertEquals(summary.steps.length + summary.leftOut.length, 6);
    if (Deno.build.os === "linux") assertEquals(summary.leftOut, []);
    const kinds = lines.map((line) => JSON.parse(line))
      .map(({ type, event }) => event?.event?.type ?? type);
    assert(kinds.filter((kind) => kind === "resumed").length >= 5);
    assert(kinds.includes("broker-down"));
  } finally {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
});

Deno.test("with replay switched off the demo fails: its verdict means something", async () => {
  const { code, lines } = await runDemo([
    "--json",
    "--mib",
    "16",
    "--seconds",
    "4",
    "--without-replay",
  ]);
  const summary = JSON.parse(lines.at(-1)!);
  assertEquals([code, summary.ok, summary.sha256Equal], [1, false, false]);
  assert(summary.bytesLost > 0);
});

Deno.test("the demo tells bad options in one sentence", async () => {
  for (const args of [["--mib", "none"], ["--nonsense"], ["--seconds", "1"]]) {
    const { code, stderr } = await runDemo(args);
    assertEquals(code, 2);
    assertMatch(stderr, /^[^\n]+\nUsage: deno task demo /);
    assert(!stderr.includes("    at "));
  }
});

testWith({
  name: "an interrupted demo leaves no process and no file behind",
  needs: ["sh"], // signals, as Unix has them
  fn: async () => {
    const demo = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", ...PERMISSIONS, "demos/main.ts", "--json"],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let text = "";
    let interrupted = false;
    for await (
      const chunk of demo.stdout.pipeThrough(new TextDecoderStream())
    ) {
      text += chunk;
      // After the server was replaced: its successor is nobody's child.
      if (interrupted || !text.includes('"restored":true')) continue;
      demo.kill("SIGINT");
      interrupted = true;
    }
    assertEquals((await demo.status).code, 130);
    const pids = [...text.matchAll(/"type":"serving","pid":(\d+)/g)].map((
      match,
    ) => Number(match[1]));
    assert(pids.length >= 1);
    for (const pid of pids) await gone(pid);
    for await (const entry of Deno.readDir(".")) {
      assert(!/^\.demo-[0-9a-f]/.test(entry.name), entry.name);
    }
  },
});

/** Waits until no process has that id. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      // Signal 0 asks, and does nothing.
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
