/**
 * The rules of `tests/tidy_test.ts` about one source file. Each gives the
 * lines that break it; a rule that nothing can break is tested to fail too.
 */
import type { Found, Source } from "./_source.ts";
import { MAY_IMPORT, ROOT, SCOPE, THIRD_PARTIES } from "./_table.ts";
import { isTestFile } from "./_walk.ts";

/** What a file is for, which decides what it may do. */
export type Role = "implementation" | "test" | "bench" | "demo" | "tool";

/** Whose file it is: a package's short name, or `"testkit"`, `"workspace"`. */
export function ownerOf(path: string): string {
  const member = /^packages\/([^/]+)\//.exec(path)?.[1];
  if (member !== undefined) return member;
  if (path.startsWith("tools/testkit/")) return "testkit";
  if (/^(mod|cli)\.ts$|^src\//.test(path)) return ROOT;
  return "workspace";
}

/** The role of a file, by its place and name. */
export function roleOf(path: string): Role {
  if (isTestFile(path) || /(^|\/)(tests|testdata|_testing)\//.test(path)) {
    return "test";
  }
  if (/_bench\.ts$/.test(path) || path.startsWith("bench/")) return "bench";
  if (path.startsWith("demos/")) return "demo";
  if (path.startsWith("tools/")) return "tool";
  return "implementation";
}

function report(
  source: Source,
  found: readonly Found[],
  message: (what: string) => string,
): string[] {
  return found.map(({ what, line }) =>
    `${source.path}:${line}: ${message(what)}`
  );
}

/** `packages/a/../b/x.ts` without the dots. */
function resolvePath(from: string, specifier: string): string {
  return decodeURI(
    new URL(specifier, `file:///${encodeURI(from)}`).pathname.slice(1),
  );
}

function importTrouble(
  source: Source,
  what: string,
  how: string,
): string | undefined {
  const owner = ownerOf(source.path);
  const role = roleOf(source.path);
  if (/^\.{0,2}\//.test(what)) {
    const other = ownerOf(resolvePath(source.path, what));
    // The testkit hands on what stands beside it under tools/.
    return other === owner || (owner === "testkit" && other === "workspace")
      ? undefined
      : `leaves ${owner} for ${other}: import it by name`;
  }
  if (what.startsWith("node:") || what === "@std/async") return undefined;
  if (what.startsWith("@std/async/")) return undefined;
  if (/^[a-z]+:/.test(what)) {
    return "is no name of the import map in the root deno.json: add one";
  }
  const implementation = role === "implementation";
  if (what.startsWith(`${SCOPE}/`)) {
    const short = what.split("/")[1]!;
    if (short === "testkit") {
      return implementation ? "is for tests only" : undefined;
    }
    if (short === owner) {
      return implementation
        ? "imports its own package by name: publishing would fail: import the file"
        : undefined;
    }
    const allowed = MAY_IMPORT[owner];
    return allowed === undefined || allowed.includes(short)
      ? undefined
      : `is not for ${owner}: the table of DESIGN.md allows ${
        allowed.join(", ") || "nothing"
      }`;
  }
  if (!implementation) return undefined;
  const third = THIRD_PARTIES[owner]?.[what];
  if (third === undefined) {
    return `is not for published code of ${owner}: see THIRD_PARTIES in tools/_table.ts`;
  }
  return third === "lazy" && how === "static"
    ? "loads at once: import it with import() where it is used"
    : undefined;
}

/** Who may import whom. */
export function checkImports(source: Source): string[] {
  return source.imports.flatMap(({ what, how, line }) => {
    if (how === "url" && roleOf(source.path) !== "implementation") return [];
    const trouble = importTrouble(source, what, how);
    return trouble === undefined
      ? []
      : [`${source.path}:${line}: "${what}" ${trouble}`];
  });
}

/** Past this a file must be in {@linkcode LONG_FILES}. */
export const FILE_LINES = 300;
/** No file may pass this. */
export const FILE_LINES_MAX = 500;
/** Tests may be longer: a table of cases is no logic. */
export const TEST_FILE_LINES_MAX = 600;
/** Functions outside tests. */
export const FUNCTION_LINES_MAX = 70;

/** Files over {@linkcode FILE_LINES}, and why each is one concept. */
export const LONG_FILES: Readonly<Record<string, string>> = {
  "packages/resume/_conn.ts":
    "the facade of Deno.Conn: a method for each of the interface, none of them long",
  "packages/resume/_incoming.ts":
    "one handshake from its first record to its session, each step short",
  "packages/resume/messages.ts":
    "one class: what is sent, what is received, and what a successor needs of both",
  "packages/signal/_endpoint.ts":
    "the facade of Signalling, and the wiring of its parts",
  "packages/signal/_sender.ts":
    "one outbox and its letters: each thing that can happen to them is a short method",
  "packages/resume/_stream_core.ts":
    "one state machine: each of its steps reads and writes most of its state",
};

/** File and function sizes. */
export function checkSizes(
  source: Source,
  longFiles: Readonly<Record<string, string>> = LONG_FILES,
): string[] {
  const { path, lines } = source;
  const isTest = roleOf(path) === "test";
  const limit = isTest ? TEST_FILE_LINES_MAX : FILE_LINES_MAX;
  const found: string[] = [];
  if (lines > limit) found.push(`${path}: ${lines} lines, at most ${limit}`);
  else if (!isTest && lines > FILE_LINES && !(path in longFiles)) {
    found.push(
      `${path}: ${lines} lines: split it, or say in LONG_FILES why it is one concept`,
    );
  } else if (path in longFiles && lines <= FILE_LINES) {
    found.push(`${path}: ${lines} lines: take it out of LONG_FILES`);
  }
  if (isTest) return found;
  const long = source.functions.filter((one) =>
    one.length > FUNCTION_LINES_MAX
  );
  return [
    ...found,
    ...long.map(({ what, line, length }) =>
      `${path}:${line}: ${what} has ${length} lines, at most ${FUNCTION_LINES_MAX}`
    ),
  ];
}

/** Only command lines, demos, benches and tools write to the console. */
export function checkConsole(source: Source): string[] {
  const { path } = source;
  const allowed = ["demo", "bench", "tool"].includes(roleOf(path)) ||
    /(^|\/)cli\.ts$|\/_?cli\/|\/_cli_\w+\.ts$|\/testdata\//.test(path);
  return allowed ? [] : report(
    source,
    source.console,
    (what) => `${what} outside a command line`,
  );
}

/** Tests are left out by `testWith` alone, which names the reason. */
export function checkSkips(source: Source): string[] {
  if (source.path === "tools/testkit/parts.ts") return [];
  return report(
    source,
    source.skips,
    (what) => `${what} on a test: use testWith({ needs }) of the testkit`,
  );
}

/**
 * Files of the pure core, by name, in any package. A file with another name
 * may be pure as well; one with such a name must be.
 */
export const PURE_FILES: readonly string[] = [
  "_core*.ts",
  "*_core.ts",
  "core.ts",
  "*_step.ts",
  "step.ts",
  // what cores are made of: windows, queues, wire formats, parsers, rules
  "*_address.ts",
  "*_alarm_heap.ts",
  "*_assemble.ts",
  "*_bucket.ts",
  "*_buffer.ts",
  "*_diff*.ts",
  "*_evaluate*.ts",
  "*_frame.ts",
  "*_inbox.ts",
  "*_liveness.ts",
  "*_clock.ts",
  "*_commit_point.ts",
  "*_safe_point.ts",
  "*_segment.ts",
  "*_stored_state.ts",
  "*_linux_ip.ts",
  "*_linux_text.ts",
  "*_linux_ways.ts",
  "*_link_class.ts",
  "*_link_health.ts",
  "*_link_limits.ts",
  "*_lookup.ts",
  "*_ordering.ts",
  "*_outbox_types.ts",
  "*_chunks.ts",
  "*_packet.ts",
  "*_content.ts",
  "*_route_health.ts",
  "*_ifconfig.ts",
  "*_windows_json.ts",
  "*_listen_fds.ts",
  "*_lru.ts",
  "*_netstat.ts",
  "*_outbox.ts",
  "*_parser.ts",
  "*_race.ts",
  "*_route_print.ts",
  "*_rules.ts",
  "*_tombstones.ts",
  "*_verdict.ts",
  "*_window.ts",
  "*_wire.ts",
  // rules of firewalls, by their language
  ...["_ipfw_*.ts", "_iptables_*.ts", "_nft_*.ts", "*_interval_set.ts"],
  ...["*_proof.ts", "*_tri.ts", "*_judge.ts", "*_match.ts", "*_quote.ts"],
  ...["*_pf_plan.ts", "*_macos_plan.ts", "*_other_sequence.ts"],
  ...["*_other_tag.ts", "*_windows_change.ts", "*_windows_commands.ts"],
  "*_windows_program.ts",
  "classify.ts",
  "diff.ts",
  "evaluate.ts",
];

/** Whether a file is part of a pure core. */
export function isPureFile(path: string): boolean {
  if (!path.startsWith("packages/") || roleOf(path) !== "implementation") {
    return false;
  }
  const base = path.slice(path.lastIndexOf("/") + 1);
  return PURE_FILES.some((glob) =>
    new RegExp(`^${glob.replaceAll(".", "\\.").replaceAll("*", ".*")}$`)
      .test(base)
  );
}

/** The pure core has no clock, timer, randomness, system or I/O. */
export function checkPurity(source: Source): string[] {
  if (!isPureFile(source.path)) return [];
  const io = source.imports.filter(({ what, how }) =>
    how !== "type" && /^(node:|@std\/async)/.test(what) && what !== "node:net"
  );
  return report(
    source,
    [...source.impure, ...io],
    (what) => `${what} in the pure core: pass it in`,
  );
}

/** A package's mod.ts is a list of names. */
export const MOD_LINES_MAX = 120;

/** `mod.ts` lists names one by one, without logic. */
export function checkMod(source: Source): string[] {
  const { path, text } = source;
  if (!/^packages\/[^/]+\/mod\.ts$/.test(path)) return [];
  const code = text.replace(/^\s*\/\*\*[\s\S]*?\*\/\s*/, "").trimEnd();
  const lines = code === "" ? 0 : code.split("\n").length;
  return [
    ...report(source, source.logic, (what) => `${what}: list names only`),
    ...(lines > MOD_LINES_MAX
      ? [`${path}: ${lines} lines after its doc, at most ${MOD_LINES_MAX}`]
      : []),
  ];
}

/** An entry point starts with a comment that has `@module`. */
export function checkModuleDoc(path: string, text: string): string[] {
  const start = text.replace(/^(#!.*\n|\/\/.*\n|\s)*/, "");
  const comment = /^\/\*\*[\s\S]*?\*\//.exec(start)?.[0] ?? "";
  return /^\s*\*\s*@module\b/m.test(comment) &&
      /[a-z]{3}/.test(comment.replaceAll("@module", ""))
    ? []
    : [`${path}: no module doc at its start: write one that ends with @module`];
}
