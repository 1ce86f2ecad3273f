import type { LinuxFacts } from "./_linux_facts.ts";
import { ourRules, richPriority } from "./_mark.ts";
import { busctl } from "./_firewalld.ts";
import type { Asked } from "./_request.ts";
import { leaseSet, type Ownership, renewNft, richRule } from "./_steps.ts";
import { restoreArgv, restoreInput, restoreTool } from "./_steps_iptables.ts";
import type { PlanStep } from "./plan.ts";

/** What makes a lease last longer; nothing where no layer ends it by itself. */
export function renewSteps(
  facts: LinuxFacts,
  asked: Asked,
  own: Ownership,
): readonly PlanStep[] {
  if (own.leaseSeconds === undefined) return [];
  return [
    ...renewSets(facts, asked, own),
    ...renewIptables(facts, own),
    ...renewFirewalld(facts, asked, own),
  ];
}

function renewSets(
  { ruleset }: LinuxFacts,
  asked: Asked,
  own: Ownership,
): readonly PlanStep[] {
  if (ruleset.type !== "known") return [];
  const tables = [...ruleset.value.sets.keys()]
    .map((key) => key.split("\n"))
    .filter(([, , name]) => name === leaseSet(own))
    .map(([family = "", table = ""]) => ({ family, table }));
  if (tables.length === 0) return [];
  return [{
    layer: "nftables",
    argv: ["nft", "-j", "-f", "-"],
    stdin: renewNft(tables, asked.port, own),
    sentence: "Makes its rules of nftables last longer",
  }];
}

/** The new rule comes in before the old one goes, in one transaction. */
function renewIptables(
  { ruleset }: LinuxFacts,
  own: Ownership,
): readonly PlanStep[] {
  if (ruleset.type !== "known") return [];
  const rules = ourRules(ruleset.value).filter(({ id, rule: { text } }) =>
    id === own.id && text !== undefined
  );
  const stop = new Date((own.now + own.leaseSeconds!) * 1000).toISOString()
    .slice(0, 19);
  const tools = [...new Set(rules.map(({ chain }) => restoreTool(chain)))];
  return tools.map((tool) => ({
    layer: tool.includes("legacy") ? "iptables-legacy" : "iptables-nft",
    argv: restoreArgv(tool),
    stdin: restoreInput(
      rules.filter(({ chain }) => restoreTool(chain) === tool)
        .flatMap(({ chain, rule }) => {
          const { table, name } = chain;
          const text = rule.text!;
          const spec = text.replace(`-A ${name} `, "")
            .replace(/--datestop \S+/, `--datestop ${stop}`);
          const at = chain.rules.indexOf(rule) + 1;
          return [
            { table, line: `-I ${name} ${at} ${spec}` },
            { table, line: text.replace(/^-A /, "-D ") },
          ];
        }),
    ),
    sentence: "Makes its rules of iptables last longer",
  }));
}

/** By turns one of two numbers, so that there is never a moment without. */
function renewFirewalld(
  { firewalld }: LinuxFacts,
  asked: Asked,
  own: Ownership,
): readonly PlanStep[] {
  const daemon = firewalld.type === "known" ? firewalld.value : undefined;
  return (daemon?.rich ?? []).flatMap(({ zone, rule }) => {
    const number = Number(/^rule priority="(\d+)"/.exec(rule)?.[1]);
    const turn = ([0, 1] as const).find((one) =>
      richPriority(own.id, one) === number
    );
    if (turn === undefined) return [];
    const next = richRule(asked, richPriority(own.id, turn === 0 ? 1 : 0));
    const sentence = `Makes its rule in zone ${zone} last longer`;
    const base = { layer: "firewalld", stdin: undefined, sentence } as const;
    const seconds = String(own.leaseSeconds);
    return [
      { ...base, argv: busctl("zone.addRichRule", "ssi", zone, next, seconds) },
      { ...base, argv: busctl("zone.removeRichRule", "ss", zone, rule) },
    ];
  });
}
