import type { LinuxFacts } from "./_linux_facts.ts";
import type { NftChain, NftRuleset } from "./_nft_ruleset.ts";
import type { LayerName } from "./outcome.ts";

const IPTABLES_TABLES = ["filter", "nat", "mangle", "raw", "security"];

/** Who looks after the rules of a chain, and must be asked to change them. */
export type Owner = (chain: NftChain) => LayerName;

/** Tells the owner of each chain of a machine. */
export function ownersOf(
  { ufw, firewalld, incompatible }: Pick<
    LinuxFacts,
    "ufw" | "firewalld" | "incompatible"
  >,
  ruleset: NftRuleset,
): Owner {
  // Chains of a manager stay when it is switched off.
  const ufwOn = ufw.type === "known" && ufw.value !== undefined;
  const firewalldOn = firewalld.type === "known" &&
    firewalld.value !== undefined;
  const tables = new Map<string, LayerName>();
  for (const chain of ruleset.chains.values()) {
    const key = keyOf(chain);
    if (ufwOn && /^ufw6?-/.test(chain.name)) tables.set(key, "ufw");
    if (firewalldOn && /^INPUT_ZONES/.test(chain.name)) {
      tables.set(key, "firewalld");
    }
  }
  return (chain) => {
    // Even if it does not answer: what others write there is lost.
    if (chain.table === "firewalld") return "firewalld";
    const manager = tables.get(keyOf(chain));
    if (manager !== undefined && isManaged(chain, manager)) return manager;
    if (chain.legacy) return "iptables-legacy";
    return isIptables(chain, ruleset) && !incompatible.includes(tableOf(chain))
      ? "iptables-nft"
      : "nftables";
  };
}

/** The table of a chain, with its family. */
export function tableOf({ family, table }: NftChain): string {
  return `${family} ${table}`;
}

function keyOf(chain: NftChain): string {
  return `${chain.legacy ? "legacy " : ""}${tableOf(chain)}`;
}

/** Chains that another program has put into the table are not the manager's. */
function isManaged({ name, hook }: NftChain, manager: LayerName): boolean {
  if (hook !== undefined) return true;
  return manager === "ufw" ? /^ufw6?-/.test(name) : !/^(f2b|DOCKER)/.test(name);
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
