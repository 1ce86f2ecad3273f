import type { NftChain, NftRule, NftRuleset } from "./_nft_ruleset.ts";

const MARK = /^hf:([A-Za-z0-9._:][A-Za-z0-9._:-]{0,99}):([a-z0-9]{8})$/;

/** The comment of the rules of one lease. */
export function markOf(tag: string, id: string): string {
  return `hf:${tag}:${id}`;
}

/** Whose rule it is; undefined when it is not one of ours. */
export function parseMark(
  comment: string | undefined,
): { readonly tag: string; readonly id: string } | undefined {
  const [, tag, id] = MARK.exec(comment ?? "") ?? [];
  return tag === undefined || id === undefined ? undefined : { tag, id };
}

/** A rule of ours in the kernel. */
export interface OurRule {
  readonly chain: NftChain;
  readonly rule: NftRule;
  readonly tag: string;
  readonly id: string;
}

/** All rules of ours. */
export function ourRules({ chains }: NftRuleset): readonly OurRule[] {
  return [...chains.values()].flatMap((chain) =>
    chain.rules.flatMap((rule) => {
      const whose = parseMark(rule.comment);
      return whose === undefined ? [] : [{ chain, rule, ...whose }];
    })
  );
}

/** The ruleset as it is without our rules, and whether there are any. */
export function withoutOurs(
  ruleset: NftRuleset,
): { readonly ruleset: NftRuleset; readonly others: boolean } {
  let others = false;
  const chains = new Map<string, NftChain>();
  for (const [key, chain] of ruleset.chains) {
    const rules = chain.rules.filter(({ comment }) =>
      parseMark(comment) === undefined
    );
    others ||= rules.length < chain.rules.length;
    chains.set(
      key,
      rules.length < chain.rules.length ? { ...chain, rules } : chain,
    );
  }
  return { ruleset: { ...ruleset, chains }, others };
}
