import { assert, assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { runs, soaking, testWith } from "@holdfast/testkit";

const DRIVER = new URL("./testdata/netns_driver.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
/** The least rights that the README promises to be enough. */
const RIGHTS = ["--allow-sys=networkInterfaces", "--allow-run=ip,sh"];

/** The tests' own tools need more: they make another namespace. */
const RIGHTS_RANDOM = ["--allow-sys=networkInterfaces", "--allow-run"];

function denoRun(rights: readonly string[], ...args: string[]): string[] {
  return [
    Deno.execPath(),
    "run",
    "--no-prompt",
    "--no-check",
    "--config",
    CONFIG,
    ...rights,
    DRIVER,
    ...args,
  ];
}

function inNamespace(args: readonly string[]): Deno.Command {
  return new Deno.Command("unshare", {
    args: ["-Urn", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

async function passes(args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await inNamespace(args).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  return decoder.decode(stdout);
}

testWith({
  name: "every kind of change is published once, as the right event",
  needs: ["netns"],
  fn: async () => {
    await passes(denoRun(RIGHTS, "script"));
  },
});

testWith({
  name:
    "random changes of 14 kinds and more: none is missed, none is invented, the end state is the kernel's",
  needs: ["netns"],
  fn: async (t) => {
    const given = Number(Deno.env.get("HOLDFAST_SEED"));
    const first = given > 0
      ? given
      : crypto.getRandomValues(new Uint32Array(1))[0]!;
    // In parts, so that a failure is replayed in a minute.
    for (let i = 0; i < (given > 0 ? 1 : runs(1, 34)); i++) {
      const seed = (first + i) >>> 0;
      const name = `HOLDFAST_SEED=${seed} deno task test packages/netwatch`;
      await t.step(name, async () => {
        const hold = soaking() ? "100" : "0";
        await passes(denoRun(RIGHTS_RANDOM, "random", `${seed}`, "300", hold));
      });
    }
  },
});

testWith({
  name: "a killed, flooded or missing monitor is told, and nothing is missed",
  needs: ["netns"],
  fn: async () => {
    await passes(denoRun(RIGHTS, "sensors"));
  },
});

testWith({
  name: "a connection hears of its own path, and of no other",
  needs: ["netns"],
  fn: async () => {
    await passes(denoRun([...RIGHTS, "--allow-net=10.77.0.2"], "paths"));
  },
});

testWith({
  name:
    "connections × changes: who is told, and what, is what the kernel says of the path",
  needs: ["netns"],
  fn: async (t) => {
    const given = Number(Deno.env.get("HOLDFAST_SEED"));
    const first = given > 0
      ? given
      : crypto.getRandomValues(new Uint32Array(1))[0]!;
    for (let i = 0; i < (given > 0 ? 1 : runs(1, 20)); i++) {
      const seed = (first + i) >>> 0;
      const name = `HOLDFAST_SEED=${seed} deno task test packages/netwatch`;
      await t.step(name, async () => {
        await passes(denoRun(RIGHTS_RANDOM, "matrix", `${seed}`, "120"));
      });
    }
  },
});

testWith({
  name:
    "a sensor that is stopped is told by nobody: the rare reading finds out",
  needs: ["netns"],
  fn: async () => {
    await passes(denoRun(RIGHTS, "frozen"));
  },
});

testWith({
  name:
    "unref(): the program ends when it has nothing else to do, the monitor too",
  needs: ["netns"],
  fn: async () => {
    const said = await passes(denoRun(RIGHTS, "unref"));
    const { monitors } = JSON.parse(said) as { monitors: readonly number[] };
    assertEquals(monitors.length, 1);
    await gone(monitors[0]!);
  },
});

testWith({
  name: "another router behind the same addresses is another network",
  needs: ["netns"],
  fn: async () => {
    const rights = ["--allow-sys", "--allow-run", "--allow-net=0.0.0.0"];
    await passes(denoRun([...rights, "--allow-net=10.77.0.1"], "swap"));
  },
});

testWith({
  name: "where the only ip is that of BusyBox, its words tell the same",
  needs: ["netns", "busybox"],
  fn: async () => {
    const folder = await Deno.makeTempDir();
    await passes([
      "sh",
      "-c",
      `ln -s "$(command -v busybox)" ${folder}/ip; PATH=${folder}:$PATH; exec "$@"`,
      "sh",
      ...denoRun(["--allow-sys", "--allow-run"], "busybox"),
    ]);
    await Deno.remove(folder, { recursive: true });
  },
});

testWith({
  name: "without the right to run ip, addresses are found by polling",
  needs: ["netns"],
  fn: async () => {
    await passes([
      "sh",
      "-c",
      'ip link set lo up; (sleep 1; ip addr add 127.0.0.9/8 dev lo) & exec "$@"',
      "sh",
      ...denoRun(["--allow-sys=networkInterfaces"], "blind"),
    ]);
  },
});

testWith({
  name: "a watch that is killed leaves no monitor behind",
  needs: ["netns"],
  fn: async () => {
    await using child = inNamespace(denoRun(RIGHTS, "hold")).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    const { monitors } = JSON.parse(new TextDecoder().decode(value)) as {
      readonly monitors: readonly number[];
    };
    assertEquals(monitors.length, 1);
    child.kill("SIGKILL");
    await child.status;
    await child.stderr.cancel();
    await gone(monitors[0]!);
  },
});

testWith({
  name:
    "on a terminal watch draws a table in place, with the change and how soon it was told",
  needs: ["netns", "script"],
  fn: async () => {
    const cli = new URL("./cli.ts", import.meta.url).pathname;
    const watch = [
      ...["env", "TERM=xterm", Deno.execPath(), "run", "--no-prompt"],
      ...["--no-check", "--config", CONFIG, "--allow-sys", "--allow-run=ip,sh"],
      ...[cli, "watch"],
    ].join(" ");
    const shown = await passes([
      "sh",
      "-c",
      `ip link set lo up
(sleep 1.5; ip addr add 127.0.0.9/8 dev lo) &
exec script -qec "stty cols 100 rows 30; timeout --preserve-status -s INT 3 ${watch}" /dev/null`,
    ]);
    assert(shown.includes("INTERFACE"), shown);
    assert(shown.includes("F\u001b[J"), "it is not drawn in place");
    assert(/ms {2}address-added: 127\.0\.0\.9\/8 on lo/.test(shown), shown);
  },
});

/** The next event of the `clocks` scenario. */
class ClockEars implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<string>;

  constructor(env: Record<string, string>) {
    this.#child = new Deno.Command("unshare", {
      args: [
        "-Urn",
        // By itself: Deno lets nobody set LD_PRELOAD who may not run anything.
        "env",
        ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
        ...denoRun(
          ["--allow-sys=networkInterfaces,osUptime", "--allow-run=ip,sh"],
          "clocks",
        ),
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#reader = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  signal(name: Deno.Signal): void {
    this.#child.kill(name);
  }

  async next(): Promise<{ type?: string; stepMs?: number }> {
    const { value } = await this.#reader.read();
    return JSON.parse(value!.split("\n")[0]!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#reader.cancel();
    await this.#child.status;
  }
}

testWith({
  name: "a clock that is set an hour on and back is told, and is no sleep",
  needs: ["netns", "faketime"],
  fn: async () => {
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, "+0");
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", "faketime -f +0 sh -c 'echo $LD_PRELOAD'"],
    }).output();
    {
      await using ears = new ClockEars({
        LD_PRELOAD: new TextDecoder().decode(stdout).trim(),
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
      });
      assertEquals(await ears.next(), {});
      for (const [rate, sign] of [["+3600", 1], ["+0", -1]] as const) {
        await Deno.writeTextFile(file, rate);
        const { type, stepMs } = await ears.next();
        assertEquals(type, "clock-step");
        assertEquals(Math.round(stepMs! / 60_000), 60 * sign);
      }
    }
    await Deno.remove(file);
  },
});

testWith({
  name: "a program that was stopped for a while stalled, and is no sleeper",
  needs: ["netns"],
  fn: async () => {
    await using ears = new ClockEars({});
    assertEquals(await ears.next(), {});
    ears.signal("SIGSTOP");
    await delay(5_600);
    ears.signal("SIGCONT");
    assertEquals((await ears.next()).type, "stalled");
  },
});

async function gone(pid: number): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (!await alive(pid)) return;
    await delay(20);
  }
  throw new Error(`Process ${pid} outlived its watch by 10 s`);
}

async function alive(pid: number): Promise<boolean> {
  const { success } = await new Deno.Command("sh", {
    // A dead child of somebody who does not ask for it (Z) is no process.
    args: ["-c", `grep -q '^State:.[^Z]' /proc/${pid}/status`],
    stderr: "null",
  }).output();
  return success;
}
