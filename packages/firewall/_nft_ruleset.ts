import { FirewallError } from "./errors.ts";

/** One rule, as `nft -j` prints it; its statements are read when walked. */
export interface NftRule {
  /** Undefined for a rule that a plan adds, and for iptables-legacy. */
  readonly handle: number | undefined;
  readonly expr: readonly unknown[];
  readonly comment?: string | undefined;
  /** The line of `iptables-save`, where iptables owns it. */
  readonly text?: string | undefined;
  /** Whether a plan adds it. */
  readonly added?: boolean;
}

/** One chain; a base chain has a hook. */
export interface NftChain {
  /** `inet`, `ip`, `ip6`, `arp`, `bridge` or `netdev`. */
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook: string | undefined;
  /** `filter`, `nat` or `route`; undefined without a hook. */
  readonly type: string | undefined;
  readonly priority: number;
  readonly policy: "accept" | "drop" | undefined;
  readonly rules: readonly NftRule[];
  /** Whether it is of iptables-legacy, which has tables of its own. */
  readonly legacy?: boolean;
}

/** A named set or map. */
export interface NftSet {
  readonly elements: readonly unknown[];
  /** Packets add to it, so membership is never certain. */
  readonly dynamic: boolean;
  /** The seconds that the first element has left, where it has a timeout. */
  readonly expires?: number | undefined;
}

/** A ruleset: chains by key, elements of sets and maps by key. */
export interface NftRuleset {
  readonly chains: ReadonlyMap<string, NftChain>;
  readonly sets: ReadonlyMap<string, NftSet>;
  /** Seconds since 1970, for rules that ask for the time. */
  readonly now?: number | undefined;
}

/** The key of a chain or a set. */
export function nftKey(family: string, table: string, name: string): string {
  // No name has a newline in it.
  return [family, table, name].join("\n");
}

/** The key of a chain, or of another one of its table. */
export function chainKey(
  { family, table, name, legacy }: NftChain,
  other: string = name,
): string {
  return nftKey(legacy ? `legacy ${family}` : family, table, other);
}

/** Reads what `nft -j list ruleset` printed. */
export function parseRuleset(json: string): NftRuleset {
  const items = itemsOf(json);
  const dormant = new Set<string>();
  const chains = new Map<string, NftChain & { rules: NftRule[] }>();
  const sets = new Map<string, NftSet>();
  const rules: (readonly [chain: string, rule: NftRule])[] = [];
  for (const item of items) {
    const [kind, value] = Object.entries(item ?? {})[0] ?? [];
    if (kind === undefined || !isRecord(value)) continue;
    const family = text(value.family);
    const table = text(value.table);
    if (kind === "table") {
      if (isDormant(value.flags)) dormant.add(`${family}\n${text(value.name)}`);
    } else if (dormant.has(`${family}\n${table}`)) {
      continue; // The kernel hooks none of its chains.
    } else if (kind === "chain") {
      const name = text(value.name);
      chains.set(nftKey(family, table, name), chainOf(family, table, value));
    } else if (kind === "rule") {
      rules.push([nftKey(family, table, text(value.chain)), ruleOf(value)]);
    } else if (kind === "set" || kind === "map") {
      sets.set(nftKey(family, table, text(value.name)), setOf(value));
    }
  }
  for (const [chain, rule] of rules) chains.get(chain)?.rules.push(rule);
  return { chains, sets };
}

function itemsOf(json: string): readonly unknown[] {
  let items: unknown;
  try {
    items = (JSON.parse(json) as { nftables?: unknown } | null)?.nftables;
  } catch (cause) {
    throw new FirewallError(
      "firewall/bad-ruleset",
      "Cannot read the ruleset: nft did not print JSON",
      { cause },
    );
  }
  if (Array.isArray(items)) return items;
  throw new FirewallError(
    "firewall/bad-ruleset",
    'Cannot read the ruleset: there is no list "nftables" in it',
  );
}

function chainOf(
  family: string,
  table: string,
  value: Record<string, unknown>,
): NftChain & { rules: NftRule[] } {
  const { policy } = value;
  const hook = typeof value.hook === "string" ? value.hook : undefined;
  return {
    family,
    table,
    name: text(value.name),
    hook,
    type: typeof value.type === "string" ? value.type : undefined,
    priority: typeof value.prio === "number" ? value.prio : 0,
    // A base chain without a policy accepts.
    policy: hook === undefined
      ? undefined
      : policy === "drop"
      ? "drop"
      : "accept",
    rules: [],
  };
}

function ruleOf(value: Record<string, unknown>): NftRule {
  return {
    handle: typeof value.handle === "number" ? value.handle : undefined,
    // What is not a list is one statement that nobody understands.
    expr: Array.isArray(value.expr) ? value.expr : [value.expr],
    comment: typeof value.comment === "string" ? value.comment : undefined,
  };
}

function setOf(value: Record<string, unknown>): NftSet {
  const flags = JSON.stringify(value.flags ?? []);
  const elements: readonly unknown[] = Array.isArray(value.elem)
    ? value.elem
    : [];
  const [first] = elements;
  const elem = isRecord(first) && isRecord(first.elem) ? first.elem : undefined;
  return {
    elements,
    dynamic: flags.includes("dynamic"),
    expires: typeof elem?.expires === "number" ? elem.expires : undefined,
  };
}

function isDormant(flags: unknown): boolean {
  // nft 1.0.6 prints the first letter only.
  const list = Array.isArray(flags) ? flags : [flags];
  return list.some((flag) => flag === "dormant" || flag === "d");
}

/** Whether the value is a plain object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
