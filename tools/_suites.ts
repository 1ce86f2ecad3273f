/**
 * The suites of `deno task test` and what each may do: the least permissions
 * with which its tests pass, so that a README's permission table is proved by
 * the tests of its package.
 */

/** Tests that run in one `deno test`, with the same permissions. */
export interface Suite {
  /** Names the report: `.reports/<name>.xml`. */
  readonly name: string;
  /** Files and folders, from the root of the checkout; absent ones are left. */
  readonly paths: readonly string[];
  /**
   * Exact flags. `$TMP` stands for the folder of temporary files. Every suite
   * may also read the variables of {@linkcode VARIABLES}.
   */
  readonly permissions: readonly string[];
  /**
   * Programs that the tests start; `deno` is the running one, by its path.
   * Those not installed are not named to Deno, which would print a line for
   * each; asking for one gives `NotFound` all the same.
   */
  readonly programs?: readonly string[];
  /** Whether the examples of docstrings and Markdown run too. */
  readonly doc: boolean;
}

/**
 * What any test may read of the environment: `HOLDFAST_REQUIRE`,
 * `HOLDFAST_SOAK` and what a test calls its own settings.
 */
export const VARIABLES = "HOLDFAST_*";

// "localhost" and "[::1]" beside "127.0.0.1": Deno compares names, not hosts.
const LOOPBACK = "--allow-net=127.0.0.1,[::1],localhost";
const TEMPORARY = ["--allow-read=.,$TMP", "--allow-write=$TMP"];

/** The table: one suite a package, then what no package owns. */
export const SUITES: readonly Suite[] = [
  { name: "events", paths: ["packages/events"], permissions: [], doc: true },
  {
    name: "recovery",
    paths: ["packages/recovery"],
    // Names and addresses that cannot be reached, to see how that fails.
    permissions: ["--allow-net", ...TEMPORARY],
    programs: [
      ...["arping", "conntrack", "deno", "faketime", "ip", "iptables"],
      ...["ping", "sh", "ss", "unshare"],
    ],
    doc: true,
  },
  {
    name: "netwatch",
    paths: ["packages/netwatch"],
    permissions: [
      "--allow-sys=networkInterfaces,osUptime",
      "--allow-read",
      "--allow-write=$TMP",
    ],
    programs: ["busybox", "deno", "faketime", "ip", "script", "sh", "unshare"],
    doc: true,
  },
  {
    name: "signal",
    paths: ["packages/signal"],
    // `npm:mqtt` reads its environment when it is imported, see
    // https://github.com/debug-js/debug; it gets an empty one.
    permissions: ["--ignore-env", LOOPBACK, ...TEMPORARY],
    programs: ["deno", "mosquitto"],
    doc: true,
  },
  {
    name: "resume",
    paths: ["packages/resume"],
    // Unix sockets, in a temporary folder, are named one by one otherwise.
    // `npm:ioredis` reads its environment when it is imported; it gets an
    // empty one.
    permissions: ["--ignore-env", "--allow-net", ...TEMPORARY],
    programs: ["deno", "redis-server"],
    doc: true,
  },
  {
    name: "firewall",
    paths: ["packages/firewall"],
    // In namespaces of their own the tools find others by name.
    permissions: ["--allow-run", "--allow-sys=uid", ...TEMPORARY],
    doc: true,
  },
  {
    name: "handoff",
    paths: ["packages/handoff"],
    // A child gets the variables of its parent, which must read them all; the
    // C library is where each system has it.
    permissions: [
      ...["--allow-net", "--allow-env", "--allow-run", "--allow-ffi"],
      ...TEMPORARY,
    ],
    doc: true,
  },
  {
    name: "root",
    paths: ["mod.ts", "cli.ts", "src", "README.md", "docs"],
    permissions: [
      "--ignore-env",
      `${LOOPBACK},0.0.0.0`, // the first example listens on all addresses
      "--allow-sys=networkInterfaces",
      ...TEMPORARY,
    ],
    programs: ["deno", "ip"],
    doc: true,
  },
  {
    name: "testkit",
    paths: ["tools/testkit"],
    permissions: [
      "--allow-net=127.0.0.1",
      "--allow-read=.,$TMP",
      "--allow-write=$TMP",
    ],
    programs: ["deno", "sh", "unshare", "ip"],
    doc: true,
  },
  {
    name: "tools",
    paths: ["tools"],
    permissions: ["--allow-read=.,$TMP", "--allow-write=$TMP"],
    programs: ["bash", "deno"],
    doc: false,
  },
  {
    name: "repository",
    paths: [
      "tests/tidy_test.ts",
      "tests/api_test.ts",
      "tests/failures_test.ts",
      "tests/publish_test.ts",
    ],
    permissions: ["--allow-read=."],
    programs: ["deno"],
    doc: false,
  },
  {
    name: "demos",
    // By name: of a folder that has a workspace member in it, Deno 2.9 runs
    // the member's tests and leaves the others out without a word.
    paths: [
      "demos/web/content_property_test.ts",
      "demos/web/guard_test.ts",
      "demos/web/page/format_test.ts",
    ],
    permissions: [],
    doc: false,
  },
  // Whole programs: they start others with flags of their own, so that flags
  // here would restrict nothing.
  ...["process", "netns", "simulation", "browser"].map((name): Suite => ({
    name,
    paths: [`tests/${name}`],
    permissions: ["--allow-all"],
    doc: false,
  })),
  {
    name: "compose",
    paths: [
      "tests/compose_test.ts",
      "tests/serve_test.ts",
      "tests/pages_test.ts",
    ],
    permissions: ["--allow-all"],
    doc: false,
  },
];

/** Whether a path is a folder or file, or lies inside it. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

/** The suite that runs a file: the one that names it most closely. */
export function suiteOf(
  file: string,
  suites: readonly Suite[] = SUITES,
): Suite | undefined {
  let best: Suite | undefined;
  let length = -1;
  for (const suite of suites) {
    for (const path of suite.paths) {
      if (path.length > length && isWithin(file, path)) {
        best = suite;
        length = path.length;
      }
    }
  }
  return best;
}

/** What to run: a suite, without the folders that are another suite's. */
export interface Run {
  readonly suite: Suite;
  readonly paths: readonly string[];
  /** Folders inside `paths` that another suite runs. */
  readonly except: readonly string[];
}

/**
 * The suites narrowed to the paths asked for; all of them when none are.
 *
 * @throws {RangeError} When no suite runs a path.
 */
export function narrow(
  asked: readonly string[],
  suites: readonly Suite[] = SUITES,
): Run[] {
  const wanted = asked.map((path) =>
    path.replaceAll("\\", "/").replace(/^\.\//, "").replace(/\/+$/, "")
  );
  const used = new Set<string>();
  const runs: Run[] = [];
  for (const suite of suites) {
    const paths = new Set<string>();
    for (const path of suite.paths) {
      if (wanted.length === 0) paths.add(path);
      for (const want of wanted) {
        if (isWithin(path, want)) paths.add(path);
        else if (isWithin(want, path) && suiteOf(want, suites) === suite) {
          paths.add(want);
        } else continue;
        used.add(want);
      }
    }
    if (paths.size === 0) continue;
    runs.push({
      suite,
      paths: [...paths],
      except: suites.filter((other) => other !== suite)
        .flatMap((other) => other.paths)
        .filter((path) => [...paths].some((own) => isWithin(path, own))),
    });
  }
  const unknown = wanted.find((want) => !used.has(want));
  if (unknown !== undefined) {
    throw new RangeError(
      `Cannot test "${unknown}": no suite runs it: name a path inside ${
        suites.flatMap(({ paths }) => paths).join(", ")
      }`,
    );
  }
  return runs;
}

/** The machine that a suite runs on. */
export interface Machine {
  /** The path of the running Deno. */
  readonly deno: string;
  /** The folder of temporary files. */
  readonly tmp: string;
  /** Whether a program is on the path. */
  installed(program: string): boolean;
}

/** The permission flags of a suite on a machine. */
export function flags(suite: Suite, machine: Machine): string[] {
  const list = suite.permissions.map((flag) =>
    flag.replaceAll("$TMP", machine.tmp)
  );
  if (list.includes("--allow-all")) return list;
  if (!list.includes("--allow-env")) list.push(`--allow-env=${VARIABLES}`);
  const programs = (suite.programs ?? [])
    .map((program) => program === "deno" ? machine.deno : program)
    .filter((program) =>
      program === machine.deno || machine.installed(program)
    );
  if (programs.length > 0) list.push(`--allow-run=${programs.join(",")}`);
  return list;
}
