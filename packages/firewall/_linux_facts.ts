import { askFirewalld, type Firewalld } from "./_firewalld.ts";
import { chainsOf, parseIptables } from "./_iptables_parser.ts";
import { withIptables } from "./_iptables_merge.ts";
import {
  chainKey,
  type NftChain,
  type NftRuleset,
  parseRuleset,
} from "./_nft_ruleset.ts";
import type { Asked } from "./_request.ts";
import { runLocal } from "./_run_local.ts";
import {
  parseUfwDefaults,
  parseUfwTuples,
  type UfwPolicy,
  type UfwTuple,
} from "./_ufw.ts";
import type { AskOptions, Ran } from "./runner.ts";

/** A fact, or why it is not known. */
export type Fact<T> =
  | { readonly type: "known"; readonly value: T }
  | { readonly type: "absent" }
  | {
    readonly type: "unknown";
    readonly why: string;
    readonly command?: string;
  };

/** The state of iptables-legacy, which nft does not show. */
export interface Legacy {
  /** The names of its tables that are loaded. */
  readonly tables: readonly string[];
  /** Whether one of them has a rule, or a policy that drops. */
  readonly filters: boolean;
  readonly chains: readonly NftChain[];
}

/** Everything that is read from a Linux machine. */
export interface LinuxFacts {
  /** CAP_NET_ADMIN. */
  readonly rights: boolean | undefined;
  /** All rules of the kernel: of nft, of iptables-nft and of iptables-legacy. */
  readonly ruleset: Fact<NftRuleset>;
  readonly legacy: Fact<Legacy>;
  /** Tables that iptables-nft gives up on, such as `ip filter`. */
  readonly incompatible: readonly string[];
  /** Why there may be rules that were not seen; undefined: none. */
  readonly unseen?: string | undefined;
  /** Undefined when ufw is installed and switched off. */
  readonly ufw: Fact<UfwPolicy | undefined>;
  /** Rules of ufw that have a comment, even while it is switched off. */
  readonly ufwTuples: readonly UfwTuple[];
  /** Undefined when firewalld does not run. */
  readonly firewalld: Fact<Firewalld | undefined>;
}

/** Asks a tool. */
export type Ask = (tool: string, ...args: string[]) => Promise<Ran>;

const NET_ADMIN_BIT = 12n;
export const READ_COMMAND = "sudo nft -j list ruleset";

/** Reads a Linux machine; changes nothing, and loads no kernel module. */
export async function readLinux(
  options: AskOptions,
  asked?: Asked,
): Promise<LinuxFacts> {
  const run = options.run ?? runLocal;
  const { signal } = options;
  const ask: Ask = (tool, ...args) => run({ tool, args }, { signal });
  // By `cat`: Deno reads files of /proc only with every permission, and these
  // are the rights of a child, which is what the tools run with.
  const [status, rules, legacy, ufw, ufwTuples, firewalld] = await Promise.all([
    ask("cat", "/proc/self/status"),
    readRules(ask),
    readLegacy(ask),
    readUfw(ask),
    readUfwTuples(ask),
    askFirewalld(ask, asked),
  ]);
  return {
    rights: rightsOf(status),
    ruleset: withLegacy(rules.ruleset, legacy),
    incompatible: rules.incompatible,
    unseen: rules.unseen,
    ...{ legacy, ufw, ufwTuples, firewalld },
  };
}

function rightsOf(ran: Ran): boolean | undefined {
  if (ran.type !== "ran") return undefined;
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(ran.stdout)?.[1];
  if (mask === undefined) return undefined;
  return (BigInt(`0x${mask}`) >> NET_ADMIN_BIT & 1n) === 1n;
}

interface Rules {
  readonly ruleset: Fact<NftRuleset>;
  readonly incompatible: readonly string[];
  readonly unseen?: string;
}

/** Without nft: what iptables shows of its own tables. */
async function readWithoutNft(ask: Ask): Promise<Rules> {
  const chains = new Map<string, NftChain>();
  let seen = false;
  for (const family of ["ip", "ip6"] as const) {
    const save = await askSave(ask, family);
    if (save === undefined) continue;
    seen = true;
    const rules = parseIptables(save, family);
    for (const chain of chainsOf(rules, family, false)) {
      chains.set(chainKey(chain), chain);
    }
  }
  const value = { chains, sets: new Map(), now: Date.now() / 1000 };
  return {
    ruleset: seen ? { type: "known", value } : { type: "absent" },
    incompatible: [],
    unseen: "nft is not installed, so rules of its own cannot be seen",
  };
}

/** The rules that nft shows, with those of iptables in full. */
async function readRules(ask: Ask): Promise<Rules> {
  const ran = await ask("nft", "-j", "list", "ruleset");
  if (ran.type === "absent") return await readWithoutNft(ask);
  const ruleset = rulesetOf(ran);
  if (ruleset.type !== "known" || ran.type !== "ran") {
    return { ruleset, incompatible: [] };
  }
  let { value } = ruleset;
  const incompatible: string[] = [];
  for (const family of ["ip", "ip6"] as const) {
    // Matches of iptables are opaque to nft: its own tool says more.
    if (!hasOpaque(value, family)) continue;
    const save = await askSave(ask, family);
    if (save === undefined) continue;
    const iptables = parseIptables(save, family);
    value = withIptables(value, iptables, family);
    incompatible.push(
      ...iptables.incompatible.map((table) => `${family} ${table}`),
    );
  }
  return {
    ruleset: { type: "known", value: { ...value, now: Date.now() / 1000 } },
    incompatible,
  };
}

/** Both names that distributions give it. */
async function askSave(
  ask: Ask,
  family: "ip" | "ip6",
): Promise<string | undefined> {
  const prefix = `${family}tables`;
  for (const tool of [`${prefix}-nft-save`, `${prefix}-save`]) {
    const ran = await ask(tool);
    if (ran.type !== "ran" || ran.code !== 0) continue;
    // The plain name may be that of iptables-legacy.
    if (/\(nf_tables\)|^$|-nft-save v/.test(ran.stdout.slice(0, 200))) {
      return ran.stdout;
    }
  }
  return undefined;
}

function hasOpaque({ chains }: NftRuleset, family: string): boolean {
  return [...chains.values()].some((chain) =>
    chain.family === family &&
    chain.rules.some(({ expr }) =>
      expr.some((statement) =>
        typeof statement === "object" && statement !== null &&
        "xt" in statement
      )
    )
  );
}

function withLegacy(
  ruleset: Fact<NftRuleset>,
  legacy: Fact<Legacy>,
): Fact<NftRuleset> {
  if (ruleset.type !== "known" || legacy.type !== "known") return ruleset;
  const chains = new Map(ruleset.value.chains);
  for (const chain of legacy.value.chains) chains.set(chainKey(chain), chain);
  return { type: "known", value: { ...ruleset.value, chains } };
}

function rulesetOf(ran: Ran): Fact<NftRuleset> {
  if (ran.type === "absent") return ran;
  if (ran.type === "forbidden") return { type: "unknown", why: ran.why };
  if (ran.code === 0 && ran.stdout.trim() !== "") {
    return { type: "known", value: parseRuleset(ran.stdout) };
  }
  const denied = /not permitted|permission denied/i.test(ran.stderr);
  return {
    type: "unknown",
    why: denied
      ? "reading the rules of the kernel needs CAP_NET_ADMIN"
      : `nft failed: ${firstLine(ran)}`,
    command: READ_COMMAND,
  };
}

async function readLegacy(ask: Ask): Promise<Fact<Legacy>> {
  const tables = legacyTables(
    await ask("cat", "/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"),
  );
  if (tables.type !== "known") return tables;
  const { value } = tables;
  // With no table loaded these tools must not run: they would load them.
  if (value.length === 0) {
    return {
      type: "known",
      value: { tables: [], filters: false, chains: [] },
    };
  }
  const chains: NftChain[] = [];
  for (const family of ["ip", "ip6"] as const) {
    const tool = `${family}tables-legacy-save`;
    const ran = await ask(tool);
    if (ran.type !== "ran" || ran.code !== 0) {
      return {
        type: "unknown",
        why: `tables of iptables-legacy are loaded, and ${tool} did not run`,
        command: `sudo ${tool}`,
      };
    }
    chains.push(...chainsOf(parseIptables(ran.stdout, family), family, true));
  }
  const filters = chains.some(({ policy, rules }) =>
    policy === "drop" || rules.length > 0
  );
  return { type: "known", value: { tables: value, filters, chains } };
}

function legacyTables(ran: Ran): Fact<readonly string[]> {
  if (ran.type === "absent") {
    return { type: "unknown", why: "there is no cat to read /proc with" };
  }
  if (ran.type === "forbidden") return { type: "unknown", why: ran.why };
  const tables = ran.stdout.split("\n").filter((line) => line !== "");
  // Without the module there is no such file, and no such table.
  const errors = ran.stderr.split("\n").filter((line) =>
    line !== "" && !line.endsWith("No such file or directory")
  );
  // What could be read counts, even if the other family could not.
  if (tables.length > 0 || errors.length === 0) {
    return { type: "known", value: [...new Set(tables)] };
  }
  return {
    type: "unknown",
    why: "the tables of iptables-legacy may be seen by root only",
    command: "sudo cat /proc/net/ip_tables_names /proc/net/ip6_tables_names",
  };
}

/** ufw's own words: whether it is switched on, and what it does by default. */
async function readUfw(ask: Ask): Promise<Fact<UfwPolicy | undefined>> {
  const ran = await ask("cat", "/etc/ufw/ufw.conf", "/etc/default/ufw");
  if (ran.type === "forbidden") return { type: "unknown", why: ran.why };
  if (ran.type === "absent" || !/^\s*ENABLED\s*=/m.test(ran.stdout)) {
    return { type: "absent" };
  }
  if (!/^\s*ENABLED\s*=\s*["']?yes["']?\s*$/mi.test(ran.stdout)) {
    return { type: "known", value: undefined };
  }
  return { type: "known", value: { input: parseUfwDefaults(ran.stdout) } };
}

/** Root alone may read these; what cannot be read has no rule of ours. */
async function readUfwTuples(ask: Ask): Promise<readonly UfwTuple[]> {
  const ran = await ask("cat", "/etc/ufw/user.rules", "/etc/ufw/user6.rules");
  return ran.type === "ran" ? parseUfwTuples(ran.stdout) : [];
}

/** The first line of what a tool complained about. */
export function firstLine(ran: Ran & { type: "ran" }): string {
  const [line = ""] = (ran.stderr || ran.stdout).trim().split("\n");
  return line === "" ? `exit code ${ran.code}` : line.slice(0, 200);
}
