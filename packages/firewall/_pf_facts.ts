import type { Fact } from "./_linux_facts.ts";
import { parseAddressSpan } from "./_other_address.ts";
import { type Ask, firstLine } from "./_other_ask.ts";
import type { TableEntry } from "./_other_match.ts";
import type { PfRuleset } from "./_pf_evaluate.ts";
import {
  parsePfRules,
  parseServices,
  type PfRule,
  type Services,
} from "./_pf_parser.ts";
import { parsePfRule } from "./_pf_rule_parser.ts";
import type { Ran } from "./runner.ts";

/** What is known of pf. */
export type Pf =
  | { readonly on: false }
  | {
    readonly on: true;
    readonly ruleset: PfRuleset;
    /** Rules that send packets elsewhere, as rules that match them. */
    readonly redirects: readonly PfRule[];
    /** Interfaces that are not filtered at all (`set skip on`). */
    readonly skipped: readonly string[];
    readonly services: Services;
  };

/** Rulesets and tables that are read of one machine. */
const READS_MAX = 256;

/** Reads pf; it only reads, and needs the rights of root. */
export async function readPf(ask: Ask): Promise<Fact<Pf>> {
  const info = await ask("pfctl", "-s", "info");
  if (info.type === "absent") return info;
  if (info.type === "forbidden") return { type: "unknown", why: info.why };
  const status = /^Status: (Enabled|Disabled)\b/m.exec(info.stdout)?.[1];
  if (info.code !== 0 || status === undefined) {
    return {
      type: "unknown",
      why: `pf may be read by root only: ${firstLine(info)}`,
      command: "sudo pfctl -s rules",
    };
  }
  if (status === "Disabled") return { type: "known", value: { on: false } };
  const [main, nat, names, interfaces, services] = await Promise.all([
    ask("pfctl", "-s", "rules"),
    ask("pfctl", "-s", "nat"),
    ask("pfctl", "-v", "-s", "Anchors"),
    ask("pfctl", "-v", "-s", "Interfaces"),
    ask("cat", "/etc/services"),
  ]);
  if (!ok(main) || !ok(nat) || !ok(names) || !ok(interfaces)) {
    return {
      type: "unknown",
      why: "pf is on, and pfctl did not print all of its rules",
      command: "sudo pfctl -s rules",
    };
  }
  const known = parseServices(ok(services) ? services.stdout : "");
  const paths = names.stdout.split("\n").map((line) => line.trim())
    .filter((line) => line !== "");
  const rest = await readAnchors(ask, paths, known);
  const rules = parsePfRules(main.stdout, known);
  const tables = await readTables(ask, rules, rest.anchors);
  return {
    type: "known",
    value: {
      on: true,
      ruleset: { main: rules, anchors: rest.anchors, tables },
      redirects: [...redirectsOf(nat.stdout, known), ...rest.redirects],
      skipped: skippedOf(interfaces.stdout),
      services: known,
    },
  };
}

type Done = Ran & { readonly type: "ran" };

function ok(ran: Ran): ran is Done {
  return ran.type === "ran" && ran.code === 0;
}

async function readAnchors(
  ask: Ask,
  paths: readonly string[],
  services: Services,
): Promise<
  { anchors: Map<string, PfRule[] | undefined>; redirects: PfRule[] }
> {
  const anchors = new Map<string, PfRule[] | undefined>();
  const redirects: PfRule[] = [];
  for (const [index, path] of paths.entries()) {
    if (index >= READS_MAX) {
      anchors.set(path, undefined);
      continue;
    }
    const [rules, nat] = await Promise.all([
      ask("pfctl", "-a", path, "-s", "rules"),
      ask("pfctl", "-a", path, "-s", "nat"),
    ]);
    const read = ok(rules) && ok(nat);
    anchors.set(path, read ? parsePfRules(rules.stdout, services) : undefined);
    if (ok(nat)) redirects.push(...redirectsOf(nat.stdout, services));
  }
  return { anchors, redirects };
}

/** `rdr pass on em0 … -> 10.0.0.2` as a rule that passes what it matches. */
export function redirectsOf(text: string, services: Services): PfRule[] {
  return text.split("\n").flatMap((raw) => {
    const [, rest] = /^(?:rdr|binat)(?: pass)?(?: log)? (.*?)(?: -> .*)?$/.exec(
      raw.trim(),
    ) ?? [];
    if (rest === undefined) return [];
    // Both ends: `binat` goes the other way round, and is of all ports.
    const only = raw.trim().startsWith("binat") ? "pass all" : `pass ${rest}`;
    return [{ ...parsePfRule(only, services), text: raw.trim() }];
  });
}

function skippedOf(text: string): string[] {
  return text.split("\n").flatMap((line) =>
    /^\s*(\S+) \(skip\)/.exec(line)?.[1] ?? []
  );
}

async function readTables(
  ask: Ask,
  main: readonly PfRule[],
  anchors: ReadonlyMap<string, readonly PfRule[] | undefined>,
): Promise<PfRuleset["tables"]> {
  const wanted = new Set<string>();
  for (const [path, rules] of [["", main] as const, ...anchors]) {
    for (const name of tableNames(rules ?? [])) {
      wanted.add(` ${name}`);
      if (path !== "") wanted.add(`${path} ${name}`);
    }
  }
  const tables = new Map<string, readonly TableEntry[] | undefined>();
  for (const key of [...wanted].slice(0, READS_MAX)) {
    const [path = "", name = ""] = key.split(" ");
    const place = path === "" ? [] : ["-a", path];
    const ran = await ask("pfctl", ...place, "-t", name, "-T", "show");
    if (ok(ran)) tables.set(key, parseTable(ran.stdout));
  }
  return tables;
}

function tableNames(rules: readonly PfRule[]): string[] {
  return rules.flatMap(({ from, to, inner }) => [
    ...[from, to].flatMap(({ host }) =>
      host.type === "table" ? [host.name] : []
    ),
    ...tableNames(inner ?? []),
  ]);
}

/** Reads `pfctl -T show`; undefined when an entry is no address. */
export function parseTable(text: string): readonly TableEntry[] | undefined {
  const entries: TableEntry[] = [];
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    if (line === "") continue;
    const negated = line.startsWith("!");
    const span = parseAddressSpan(line.replace(/^!\s*/, ""));
    if (span === undefined) return undefined;
    entries.push({ ...span, negated });
  }
  return entries;
}
