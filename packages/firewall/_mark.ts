import type { LinuxFacts } from "./_linux_facts.ts";
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

/** Numbers of rich rules of firewalld that are ours: see richPriority. */
const RICH_FIRST = 2_000;
const RICH_SLOTS = 15_000;

/**
 * The number by which a rule of firewalld is known again: it has no comment,
 * but a priority of its own. A positive one comes after the zone's denials.
 * Each lease has two, so that it is renewed by the next before the last ends.
 */
export function richPriority(id: string, turn: 0 | 1): number {
  const hash = [...id].reduce(
    (sum, char) => (sum * 31 + char.charCodeAt(0)) % RICH_SLOTS,
    7,
  );
  return RICH_FIRST + 2 * hash + turn;
}

function isOurPriority(priority: number): boolean {
  return priority >= RICH_FIRST && priority < RICH_FIRST + 2 * RICH_SLOTS;
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

/** The ruleset with our rules in their places, but without effect. */
export function muted(
  ruleset: NftRuleset,
  managed: readonly ManagedPort[] = [],
): { readonly ruleset: NftRuleset; readonly others: boolean } {
  let others = false;
  const chains = new Map<string, NftChain>();
  for (const [key, chain] of ruleset.chains) {
    const isOurs = (rule: NftRule) =>
      parseMark(rule.comment) !== undefined ||
      managed.some((port) => isManaged(chain, rule, port));
    if (!chain.rules.some(isOurs)) {
      chains.set(key, chain);
      continue;
    }
    others = true;
    const rules = chain.rules.map((rule) =>
      isOurs(rule) ? { ...rule, expr: [{ counter: null }] } : rule
    );
    chains.set(key, { ...chain, rules });
  }
  return { ruleset: { ...ruleset, chains }, others };
}

/** A port that a manager holds open for one of our leases. */
export interface ManagedPort {
  readonly layer: "ufw" | "firewalld";
  readonly port: number;
  readonly protocol: string;
}

/** Ports that ufw and firewalld hold open for us; their rules have no mark. */
export function managedPorts(
  { ufwTuples, firewalld }: Pick<LinuxFacts, "ufwTuples" | "firewalld">,
): readonly ManagedPort[] {
  const daemon = firewalld.type === "known" ? firewalld.value : undefined;
  return [
    ...ufwTuples.flatMap(({ words, comment }) =>
      parseMark(comment) === undefined ? [] : [{
        ...{ layer: "ufw", protocol: words[1]! } as const,
        port: Number(words[2]),
      }]
    ),
    ...(daemon?.rich ?? []).flatMap(({ rule }) => {
      const [, priority, port, protocol] = OUR_RICH_RULE.exec(rule) ?? [];
      return isOurPriority(Number(priority))
        ? [{
          layer: "firewalld" as const,
          port: Number(port),
          protocol: protocol!,
        }]
        : [];
    }),
  ];
}

const OUR_RICH_RULE =
  /^rule priority="(\d+)".* port port="(\d+)" protocol="(tcp|udp)" accept$/;

function isManaged(
  { name }: NftChain,
  { expr }: NftRule,
  { layer, port, protocol }: ManagedPort,
): boolean {
  const pattern = layer === "ufw"
    ? /^ufw6?-user-input$/
    : /^(?:filter_)?IN_.+_post$/;
  if (!pattern.test(name)) return false;
  const text = JSON.stringify(expr);
  return text.includes('"accept"') && text.includes(`"${protocol}"`) &&
    text.includes(`"right":${port}}`);
}
