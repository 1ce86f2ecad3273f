/**
 * The permission table of the README, from real runs: each row names flags with
 * which its part does all that it can, and of which none can be left out.
 */
import { fileURLToPath } from "node:url";

/** One row. */
export interface AuditRow {
  /** Names the part of `tools/audit/program.ts`. */
  readonly part: string;
  /** What it is, for the README. */
  readonly what: string;
  /** The flags that it takes; each is left out once, to see it fail. */
  readonly flags: readonly string[];
  /** What the README says of them beside. */
  readonly note?: string;
}

// "127.0.0.1" stands for what a program of the user talks to.
const NET = "--allow-net=127.0.0.1";

/** The table. */
export const AUDIT: readonly AuditRow[] = [
  { part: "serve", what: "`serve`, `connect`", flags: [NET] },
  {
    part: "serve-network",
    what: "their watch of the network",
    flags: [NET, "--allow-sys=networkInterfaces", "--allow-run=ip"],
    note:
      "without it dead paths are found by silence; also `sh`, so that a killed program leaves no helper",
  },
  {
    part: "serve-store",
    what: "`store` with `sqliteStore(FILE)`",
    flags: [NET, "--allow-read=$FILE", "--allow-write=$FILE"],
  },
  {
    part: "serve-upgrade",
    what: "`upgrade`",
    flags: [NET, "--allow-env", "--allow-run=/bin/sh"],
    note:
      "and those of the next process, if it is Deno; see `@holdfast/handoff`",
  },
  {
    part: "peer",
    what: "`openPeer`",
    flags: [NET, "--ignore-env"],
    note: "`npm:mqtt` reads the environment; it may be empty",
  },
  {
    part: "peer-everywhere",
    what: "a peer that listens on all addresses",
    flags: [
      ...[`${NET},0.0.0.0`, "--ignore-env", "--allow-sys=networkInterfaces"],
    ],
    note: "to tell others which these are",
  },
  {
    part: "peer-network",
    what: "the watch of a peer",
    flags: [
      ...[NET, "--ignore-env", "--allow-sys=networkInterfaces"],
      "--allow-run=ip",
    ],
    note: "without it new addresses are not told to other peers",
  },
];

const PROGRAM = fileURLToPath(new URL("./audit/program.ts", import.meta.url));

/** What became of a run: `ok`, or why it was less. */
export async function runPart(
  part: string,
  flags: readonly string[],
  broker: string,
  file: string,
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--no-prompt"],
      ...flags.map((flag) => flag.replaceAll("$FILE", filesOf(file))),
      ...[PROGRAM, part, broker, file],
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (!success) return decoder.decode(stderr).trim();
  const limited = JSON.parse(decoder.decode(stdout)) as string[];
  return limited.length === 0 ? "ok" : limited.join("; ");
}

/** SQLite keeps two more files beside its own. */
function filesOf(file: string): string {
  return [file, `${file}-wal`, `${file}-shm`, `${file}-journal`].join(",");
}

const [START, END] = ["<!-- permissions -->", "<!-- /permissions -->"];

/** The README with the table between its marks. */
export function withTable(readme: string): string {
  const rows = AUDIT.map(({ what, flags, note }) => {
    const own = flags.map((flag) =>
      "`" +
      flag.replace(/^--allow-net=.*/, "--allow-net").replace("$FILE", "FILE") +
      "`"
    );
    return `| ${what} | ${own.join(" ")}${note ? `; ${note}` : ""} |`;
  });
  const table = ["| what | needs |", "| --- | --- |", ...rows].join("\n");
  const [before, rest] = readme.split(START);
  const [, after] = (rest ?? "").split(END);
  if (after === undefined) {
    throw new Error(`Cannot write the table: README.md has no ${START}`);
  }
  return `${before}${START}\n\n${table}\n\n${END}${after}`;
}
