import type { IptablesRules } from "./_iptables_parser.ts";
import {
  type NftChain,
  nftKey,
  type NftRule,
  type NftRuleset,
} from "./_nft_ruleset.ts";

/**
 * Puts what `iptables-save` says in the place of what nft cannot show. Rule by
 * rule, and only where nft shows a part as opaque: rules that nft has written
 * into a table of iptables are shown wrong by iptables.
 */
export function withIptables(
  ruleset: NftRuleset,
  { tables }: IptablesRules,
  family: "ip" | "ip6",
): NftRuleset {
  const chains = new Map(ruleset.chains);
  for (const table of tables) {
    for (const [name, { rules }] of table.chains) {
      const key = nftKey(family, table.name, name);
      const chain = chains.get(key);
      // Another program may have been between the two readings.
      if (chain === undefined || chain.rules.length !== rules.length) continue;
      chains.set(key, joined(chain, rules));
    }
  }
  return { ...ruleset, chains };
}

function joined(chain: NftChain, saved: readonly NftRule[]): NftChain {
  const rules = chain.rules.map((rule, i) => {
    const { expr, text, comment } = saved[i]!;
    const opaque = rule.expr.some((statement) =>
      typeof statement === "object" && statement !== null && "xt" in statement
    );
    return opaque
      ? { ...rule, expr, text, comment }
      : { ...rule, text, comment: rule.comment ?? comment };
  });
  return { ...chain, rules };
}
