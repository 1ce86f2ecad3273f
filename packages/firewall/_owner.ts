import type { NftChain, NftRuleset } from "./_nft_ruleset.ts";
import type { LinuxFacts } from "./_linux_facts.ts";
import type { LayerName } from "./outcome.ts";

const IPTABLES_TABLES = ["filter", "nat", "mangle", "raw", "security"];

/** Who looks after the rules of a chain, and must be asked to change them. */
export type Owner = (chain: NftChain) => LayerName;

/** Tells the owner of each chain of a machine. */
export function ownersOf(facts: LinuxFacts, ruleset: NftRuleset): Owner {
  const { ufw } = facts;
  const ufwEnabled = ufw.type === "known" && ufw.value !== undefined;
  const ufwTables = new Set<string>();
  for (const chain of ruleset.chains.values()) {
    if (ufwEnabled && /^ufw6?-/.test(chain.name)) ufwTables.add(tableOf(chain));
  }
  return (chain) => {
    // Even if it does not answer: what others write there is lost.
    if (chain.table === "firewalld") return "firewalld";
    if (ufwTables.has(tableOf(chain))) return "ufw";
    return isIptables(chain, ruleset) ? "iptables-nft" : "nftables";
  };
}

/** The table of a chain, with its family. */
export function tableOf({ family, table }: NftChain): string {
  return `${family} ${table}`;
}

/** Tables of iptables-nft have fixed names, and their base chains in capitals. */
function isIptables(chain: NftChain, ruleset: NftRuleset): boolean {
  if (chain.family !== "ip" && chain.family !== "ip6") return false;
  if (!IPTABLES_TABLES.includes(chain.table)) return false;
  return [...ruleset.chains.values()].some((other) =>
    tableOf(other) === tableOf(chain) && other.hook !== undefined &&
    other.name === other.hook.toUpperCase()
  );
}
