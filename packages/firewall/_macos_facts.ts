import type { Fact } from "./_linux_facts.ts";
import type { Alf, MacosProgram } from "./_macos_evaluate.ts";
import {
  type MacosAnswer,
  parseAllowSigned,
  parseBlockAll,
  parseGlobalState,
  parseListApps,
  parseMacosVersion,
  parseSignature,
  parseStealth,
} from "./_macos_parser.ts";
import { type Ask, askOther, firstLine } from "./_other_ask.ts";
import { type Pf, readPf } from "./_pf_facts.ts";
import type { AskOptions, Ran } from "./runner.ts";

/** Everything that is read from a Mac. */
export interface MacosFacts {
  /** Whether this is root. */
  readonly rights: boolean | undefined;
  readonly version: number | undefined;
  readonly alf: Fact<Alf>;
  /** Whether an administrator has locked it by a profile. */
  readonly managed: boolean;
  readonly stealth: boolean | undefined;
  readonly program: MacosProgram | undefined;
  readonly pf: Fact<Pf>;
}

const TOOL = "socketfilterfw";
const STATE_COMMAND =
  "/usr/libexec/ApplicationFirewall/socketfilterfw --getglobalstate";

/** Reads a Mac; changes nothing. */
export async function readMacos(
  options: AskOptions,
  program: string | undefined,
): Promise<MacosFacts> {
  const ask = askOther(options);
  const [state, blockAll, stealth, signed, apps, version, id, pf, known] =
    await Promise.all([
      ask(TOOL, "--getglobalstate"),
      ask(TOOL, "--getblockall"),
      ask(TOOL, "--getstealthmode"),
      ask(TOOL, "--getallowsigned"),
      ask(TOOL, "--listapps"),
      ask("sw_vers", "-productVersion"),
      ask("id", "-u"),
      readPf(ask),
      readProgram(ask, program),
    ]);
  const answers = {
    state: read(state, parseGlobalState),
    blockAll: read(blockAll, parseBlockAll),
    signed: read(signed, parseAllowSigned),
    apps: read(apps, parseListApps),
  };
  const stealthy = read(stealth, parseStealth);
  return {
    rights: id.type === "ran" && id.code === 0
      ? id.stdout.trim() === "0"
      : undefined,
    version: version.type === "ran"
      ? parseMacosVersion(version.stdout)
      : undefined,
    managed: [...Object.values(answers), stealthy].some(({ type }) =>
      type === "managed"
    ),
    alf: alfOf(state, answers),
    stealth: valueOf(stealthy),
    program: known,
    pf,
  };
}

function read<T>(
  ran: Ran,
  parse: (text: string) => MacosAnswer<T>,
): MacosAnswer<T> {
  if (ran.type !== "ran") return { type: "unread" };
  return parse(`${ran.stdout}\n${ran.stderr}`.trim());
}

function valueOf<T>(answer: MacosAnswer<T>): T | undefined {
  return answer.type === "known" ? answer.value : undefined;
}

interface Answers {
  readonly state: MacosAnswer<Alf["state"]>;
  readonly blockAll: MacosAnswer<boolean>;
  readonly signed: MacosAnswer<NonNullable<Alf["allowSigned"]>>;
  readonly apps: MacosAnswer<NonNullable<Alf["apps"]>>;
}

function alfOf(ran: Ran, answers: Answers): Fact<Alf> {
  if (ran.type === "absent") {
    return { type: "unknown", why: `${TOOL} is not there` };
  }
  if (ran.type === "forbidden") return { type: "unknown", why: ran.why };
  const { state, blockAll } = answers;
  // What a managed Mac does not say is never taken for off.
  if (
    state.type !== "known" || (blockAll.type !== "known" && state.value === 1)
  ) {
    const odd = [state, blockAll].some(({ type }) => type === "managed");
    return {
      type: "unknown",
      why: odd
        ? "the administrator of this Mac lets nobody look at its firewall"
        : `${TOOL} says what this version does not understand: ${
          firstLine(ran)
        }`,
      command: STATE_COMMAND,
    };
  }
  return {
    type: "known",
    value: {
      state: state.value,
      blockAll: valueOf(blockAll) ?? false,
      apps: valueOf(answers.apps),
      allowSigned: valueOf(answers.signed),
    },
  };
}

/** The program that its path leads to, and who signed it. */
async function readProgram(
  ask: Ask,
  path: string | undefined,
): Promise<MacosProgram | undefined> {
  if (path === undefined) return undefined;
  let real = await ask("realpath", path);
  // Before macOS 13 there was none.
  if (real.type === "absent") real = await ask("readlink", "-f", path);
  const found = real.type === "ran" && real.code === 0
    ? real.stdout.replace(/\n$/, "")
    : "";
  if (!found.startsWith("/") || found.includes("\n")) {
    // A path that may be a link says nothing of the list.
    return undefined;
  }
  const signed = await ask("codesign", "-d", "-v", "--verbose=2", found);
  return {
    path: found,
    signature: signed.type === "ran"
      ? parseSignature(`${signed.stdout}\n${signed.stderr}`)
      : "unknown",
  };
}
