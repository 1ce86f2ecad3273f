import { busctl } from "./_firewalld.ts";
import type { LinuxFacts } from "./_linux_facts.ts";
import { type OurRule, ourRules, parseMark, richPriority } from "./_mark.ts";
import { leaseSet } from "./_steps.ts";
import { restoreArgv, restoreInput, restoreTool } from "./_steps_iptables.ts";
import { deleteUfw } from "./_ufw.ts";
import type { PlanStep } from "./plan.ts";

/** Which rules of ours are meant. */
export interface Selection {
  /** Leases by their id, whose rules in the kernel have it in their comment. */
  readonly ids: ReadonlySet<string>;
  /** Ids whose rule of ufw another lease needs as well. */
  readonly shared: ReadonlySet<string>;
}

/**
 * What takes the rules of leases back. All of it comes from what the kernel and
 * the managers show, and nothing from a file that a user could have written.
 */
export function revertSteps(
  facts: LinuxFacts,
  selection: Selection,
): readonly PlanStep[] {
  const { ids } = selection;
  const rules = facts.ruleset.type === "known"
    ? ourRules(facts.ruleset.value).filter(({ id }) => ids.has(id))
    : [];
  return [
    ...nftSteps(facts, rules, ids),
    ...iptablesSteps(rules),
    ...ufwSteps(facts, selection),
    ...firewalldSteps(facts, ids),
  ];
}

function isIptables({ chain, rule }: OurRule): boolean {
  return rule.text !== undefined || chain.legacy === true;
}

/** Rules by their handles, then their sets, all in one transaction. */
function nftSteps(
  { ruleset }: LinuxFacts,
  rules: readonly OurRule[],
  ids: ReadonlySet<string>,
): readonly PlanStep[] {
  const deletions: unknown[] = rules.filter((one) => !isIptables(one))
    .map(({ chain: { family, table, name }, rule: { handle } }) => ({
      delete: { rule: { family, table, chain: name, handle } },
    }));
  if (ruleset.type === "known") {
    for (const key of ruleset.value.sets.keys()) {
      const [family, table, name] = key.split("\n");
      const mine = [...ids].some((id) => leaseSet({ id }) === name);
      if (mine) deletions.push({ delete: { set: { family, table, name } } });
    }
  }
  if (deletions.length === 0) return [];
  return [{
    layer: "nftables",
    argv: ["nft", "-j", "-f", "-"],
    stdin: JSON.stringify({ nftables: deletions }),
    sentence: "Takes its rules of nftables back",
  }];
}

/** The very rule that `iptables-save` printed, with -D in the place of -A. */
function iptablesSteps(rules: readonly OurRule[]): readonly PlanStep[] {
  const own = rules.filter(isIptables);
  const tools = [...new Set(own.map(({ chain }) => restoreTool(chain)))];
  return tools.map((tool) => ({
    layer: tool.includes("legacy") ? "iptables-legacy" : "iptables-nft",
    argv: restoreArgv(tool),
    stdin: restoreInput(
      own.filter(({ chain }) => restoreTool(chain) === tool)
        .map(({ chain: { table }, rule: { text } }) => ({
          table,
          line: (text ?? "").replace(/^-A /, "-D "),
        })),
    ),
    sentence: "Takes its rules of iptables back",
  }));
}

function ufwSteps(
  { ufwTuples }: LinuxFacts,
  { ids, shared }: Selection,
): readonly PlanStep[] {
  const lines = ufwTuples.flatMap((tuple) => {
    const id = parseMark(tuple.comment)?.id;
    const words = deleteUfw(tuple);
    if (id === undefined || words === undefined) return [];
    return ids.has(id) && !shared.has(id) ? [words.join(" ")] : [];
  });
  return pairs(lines).map((line) => ({
    layer: "ufw",
    argv: ["ufw", ...line.split(" ")],
    stdin: undefined,
    sentence: "Asks ufw to take its rule back",
  }));
}

/** Two rules that ufw made of one are taken back by one word, if both stand. */
function pairs(lines: readonly string[]): readonly string[] {
  const any = (line: string) =>
    line.replace(/ from (0\.0\.0\.0|::)\/0 to \1\/0 /, " from any to any ");
  const merged = lines.map((line) =>
    lines.filter((other) => any(other) === any(line)).length === 2
      ? any(line)
      : line
  );
  return [...new Set(merged)];
}

function firewalldSteps(
  { firewalld }: LinuxFacts,
  ids: ReadonlySet<string>,
): readonly PlanStep[] {
  const daemon = firewalld.type === "known" ? firewalld.value : undefined;
  const priorities = new Set(
    [...ids].flatMap((id) => [richPriority(id, 0), richPriority(id, 1)]),
  );
  return (daemon?.rich ?? []).flatMap(({ zone, rule }) => {
    const [, priority] = /^rule priority="(\d+)"/.exec(rule) ?? [];
    if (!priorities.has(Number(priority))) return [];
    return [{
      layer: "firewalld" as const,
      argv: busctl("zone.removeRichRule", "ss", zone, rule),
      stdin: undefined,
      sentence: `Asks firewalld to take its rule in zone ${zone} back`,
    }];
  });
}
