import type { NftChain, NftRule } from "./_nft_ruleset.ts";
import { translateRule } from "./_iptables_rules.ts";

/** What one table of `iptables-save` holds. */
export interface IptablesTable {
  readonly name: string;
  /** Chains with their rules, in the order in which they were printed. */
  readonly chains: ReadonlyMap<string, IptablesChain>;
}

/** One chain; those of the kernel have a policy. */
export interface IptablesChain {
  readonly policy: "accept" | "drop" | undefined;
  readonly rules: readonly NftRule[];
}

/** Tables, and those that nft has changed so that iptables gives up on them. */
export interface IptablesRules {
  readonly tables: readonly IptablesTable[];
  readonly incompatible: readonly string[];
}

/** Reads what `iptables-save` printed. */
export function parseIptables(
  text: string,
  family: "ip" | "ip6",
): IptablesRules {
  const tables: {
    name: string;
    chains: Map<
      string,
      { policy: "accept" | "drop" | undefined; rules: NftRule[] }
    >;
  }[] = [];
  const incompatible: string[] = [];
  for (const line of text.split("\n")) {
    const table = tables.at(-1);
    const chain = /^:(\S+) (\S+)/.exec(line);
    if (line.startsWith("*")) {
      tables.push({ name: line.slice(1).trim(), chains: new Map() });
    } else if (line.startsWith("# Table `")) {
      const [, name] = /^# Table `(\w+)' is incompatible/.exec(line) ?? [];
      if (name !== undefined) incompatible.push(name);
    } else if (chain !== null && table !== undefined) {
      const [, name, policy] = chain;
      table.chains.set(name!, {
        policy: policy === "-"
          ? undefined
          : policy === "ACCEPT"
          ? "accept"
          : "drop",
        rules: [],
      });
    } else if (line.startsWith("-A ") && table !== undefined) {
      const [, name, ...words] = wordsOf(line);
      const rule = translateRule(words, family);
      table.chains.get(name!)?.rules.push({
        ...{ handle: undefined, text: line, ...rule },
      });
    }
  }
  return { tables, incompatible };
}

/** Words of a line; in quotes a backslash keeps the character after it. */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (
    const [, quoted, plain] of line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)
  ) {
    words.push(quoted?.replaceAll(/\\(.)/g, "$1") ?? plain!);
  }
  return words;
}

type Hooks = Readonly<
  Record<string, readonly [hook: string, priority: number]>
>;

/** Where the kernel calls the chains of each table. */
const HOOKS: Readonly<Record<string, Hooks>> = {
  raw: { PREROUTING: ["prerouting", -300], OUTPUT: ["output", -300] },
  mangle: {
    PREROUTING: ["prerouting", -150],
    INPUT: ["input", -150],
    OUTPUT: ["output", -150],
    POSTROUTING: ["postrouting", -150],
  },
  nat: {
    PREROUTING: ["prerouting", -100],
    INPUT: ["input", 100],
    OUTPUT: ["output", -100],
    POSTROUTING: ["postrouting", 100],
  },
  filter: { INPUT: ["input", 0], OUTPUT: ["output", 0] },
  security: { INPUT: ["input", 50], OUTPUT: ["output", 50] },
};

/** Tables of iptables as chains, with the hooks that they have. */
export function chainsOf(
  { tables }: IptablesRules,
  family: "ip" | "ip6",
  legacy: boolean,
): NftChain[] {
  return tables.flatMap(({ name: table, chains }) =>
    [...chains].map(([name, { policy, rules }]) => {
      const [hook, priority] = HOOKS[table]?.[name] ?? [];
      return {
        ...{ family, table, name, hook, rules, legacy },
        type: hook === undefined
          ? undefined
          : table === "nat"
          ? "nat"
          : "filter",
        priority: priority ?? 0,
        policy: hook === undefined ? undefined : policy ?? "accept",
      };
    })
  );
}
