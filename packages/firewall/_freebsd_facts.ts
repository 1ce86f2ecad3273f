import type { Ipfw } from "./_ipfw_judge.ts";
import { parseIpfwRules, parseIpfwTables } from "./_ipfw_parser.ts";
import type { Fact } from "./_linux_facts.ts";
import { type Ask, askOther, firstLine } from "./_other_ask.ts";
import { type Pf, readPf } from "./_pf_facts.ts";
import type { Family } from "./outcome.ts";
import type { AskOptions, Ran } from "./runner.ts";

/** Everything that is read from a machine with FreeBSD. */
export interface FreebsdFacts {
  /** Whether this is root. */
  readonly rights: boolean | undefined;
  readonly pf: Fact<Pf>;
  readonly ipfw: Fact<Ipfw>;
  /** Whether ipfilter is loaded, which is not read any further. */
  readonly ipfilter: boolean | undefined;
}

/** Reads a machine with FreeBSD; changes nothing, and loads no module. */
export async function readFreebsd(options: AskOptions): Promise<FreebsdFacts> {
  const ask = askOther(options);
  const [pf, ipfw, ipfilter, id] = await Promise.all([
    loaded(ask, "pf"),
    loaded(ask, "ipfw"),
    loaded(ask, "ipfilter"),
    ask("id", "-u"),
  ]);
  return {
    rights: id.type === "ran" && id.code === 0
      ? id.stdout.trim() === "0"
      : undefined,
    pf: pf === true ? await readPf(ask) : notLoaded("pf", pf),
    ipfw: ipfw === true ? await readIpfw(ask) : notLoaded("ipfw", ipfw),
    ipfilter,
  };
}

/** Whether a module is in the kernel, built in or loaded. */
async function loaded(ask: Ask, module: string): Promise<boolean | undefined> {
  const ran = await ask("kldstat", "-q", "-m", module);
  if (ran.type !== "ran") return undefined;
  return ran.code === 0 ? true : ran.code === 1 ? false : undefined;
}

function notLoaded<T extends { readonly on: boolean }>(
  name: string,
  known: false | undefined,
): Fact<T | { readonly on: false }> {
  return known === false ? { type: "known", value: { on: false } } : {
    type: "unknown",
    why: `whether ${name} is loaded cannot be read`,
    command: `kldstat -m ${name}`,
  };
}

async function readIpfw(ask: Ask): Promise<Fact<Ipfw>> {
  const [four, six] = await Promise.all([
    ask("sysctl", "-n", "net.inet.ip.fw.enable"),
    ask("sysctl", "-n", "net.inet6.ip6.fw.enable"),
  ]);
  const families: Family[] = [
    ...isOff(four) ? [] : ["ipv4" as const],
    ...isOff(six) ? [] : ["ipv6" as const],
  ];
  if (families.length === 0) return { type: "known", value: { on: false } };
  const [rules, tables, sets] = await Promise.all([
    ask("ipfw", "-S", "list"),
    ask("ipfw", "table", "all", "list"),
    ask("ipfw", "set", "show"),
  ]);
  if (rules.type !== "ran" || rules.code !== 0) {
    return {
      type: "unknown",
      why: rules.type === "ran"
        ? `ipfw may be read by root only: ${firstLine(rules)}`
        : rules.type === "forbidden"
        ? rules.why
        : "ipfw is loaded, and its tool is not there",
      command: "sudo ipfw -S list",
    };
  }
  return {
    type: "known",
    value: {
      on: true,
      families,
      rules: parseIpfwRules(rules.stdout),
      tables: tables.type === "ran" && tables.code === 0
        ? parseIpfwTables(tables.stdout)
        : new Map(),
      setsOff: setsOffOf(sets),
    },
  };
}

/** Only a plain 0 is off: what cannot be read may filter. */
function isOff(ran: Ran): boolean {
  return ran.type === "ran" && ran.code === 0 && ran.stdout.trim() === "0";
}

/** `disable 5 7 enable 0 1 2 …` as the sets that are off. */
function setsOffOf(ran: Ran): readonly number[] | undefined {
  if (ran.type !== "ran" || ran.code !== 0) return undefined;
  const list = /^(?:disable((?: \d+)+) )?enable/.exec(ran.stdout.trim());
  if (list === null) return undefined;
  return (list[1] ?? "").split(" ").filter((word) => word !== "").map(Number);
}
