import { type Fact, type LinuxFacts, readLinux } from "./_linux_facts.ts";
import type { NftRuleset } from "./_nft_ruleset.ts";
import { otherSystem } from "./_other_system.ts";
import { ownersOf } from "./_owner.ts";
import type { LayerName } from "./outcome.ts";
import type { FirewallReport, LayerReport } from "./report.ts";
import type { AskOptions } from "./runner.ts";

/**
 * Finds out which firewalls this machine has, and which of them filter. It
 * only reads: nothing is changed, and no kernel module is loaded.
 *
 * What it may not see is `unknown`, with the reason, and never "inactive".
 *
 * ```ts
 * import { inspectFirewall } from "@holdfast/firewall";
 * import { assert } from "@std/assert";
 *
 * const { system, layers } = await inspectFirewall();
 * assert(system === Deno.build.os);
 * for (const layer of layers) {
 *   if (layer.status === "unknown") assert(layer.why !== "");
 * }
 * ```
 *
 * @throws {FirewallError} `firewall/bad-ruleset` when nft prints what is not
 * a ruleset.
 * @throws The reason of the signal, when it is aborted.
 */
export async function inspectFirewall(
  options: AskOptions = {},
): Promise<FirewallReport> {
  options.signal?.throwIfAborted();
  const system = options.system ?? Deno.build.os;
  const other = otherSystem(system);
  if (other !== undefined) return await other.inspect(options);
  if (system !== "linux") {
    const why = notReadYet(system);
    const layers: LayerReport[] = [{ layer: "other", status: "unknown", why }];
    return { system, rights: undefined, layers };
  }
  const facts = await readLinux(options);
  return {
    system,
    rights: facts.rights,
    layers: [
      kernelReport("nftables", facts),
      kernelReport("iptables-nft", facts),
      legacyReport(facts),
      ufwReport(facts),
      firewalldReport(facts),
    ],
  };
}

/** Why nothing is known of another system. */
export function notReadYet(system: string): string {
  return `the firewall of ${system} is not read by this version`;
}

/** A layer that lives in the ruleset of nft. */
function kernelReport(
  layer: "nftables" | "iptables-nft",
  { ruleset, ...facts }: LinuxFacts,
): LayerReport {
  if (ruleset.type !== "known") return unknown(layer, ruleset, "nft");
  if (layer === "nftables" && facts.unseen !== undefined) {
    return { layer, status: "unknown", why: facts.unseen };
  }
  const owner = ownersOf(facts, ruleset.value);
  const filtering = filteringTables(ruleset.value).filter((table) =>
    [...ruleset.value.chains.values()].some((chain) =>
      !chain.legacy && `${chain.family} ${chain.table}` === table &&
      owner(chain) === layer
    )
  );
  return filtering.length > 0
    ? { layer, status: "active", detail: `tables: ${filtering.join(", ")}` }
    : { layer, status: "inactive", detail: "no table of it filters" };
}

/** Tables whose chains the kernel asks, and that have something to say. */
function filteringTables({ chains }: NftRuleset): readonly string[] {
  const tables = [...chains.values()]
    .filter(({ hook, policy, rules, legacy }) =>
      !legacy && hook !== undefined && (policy === "drop" || rules.length > 0)
    )
    .map(({ family, table }) => `${family} ${table}`);
  return [...new Set(tables)];
}

function legacyReport({ legacy }: LinuxFacts): LayerReport {
  const layer = "iptables-legacy";
  if (legacy.type !== "known") return unknown(layer, legacy, "cat");
  const { tables, filters } = legacy.value;
  if (tables.length === 0) {
    return { layer, status: "inactive", detail: "no table of it is loaded" };
  }
  return filters
    ? { layer, status: "active", detail: `tables: ${tables.join(", ")}` }
    : { layer, status: "inactive", detail: "its tables are empty" };
}

function ufwReport({ ufw }: LinuxFacts): LayerReport {
  const layer = "ufw";
  if (ufw.type !== "known") return unknown(layer, ufw, "ufw");
  if (ufw.value === undefined) {
    return { layer, status: "inactive", detail: "switched off in ufw.conf" };
  }
  const input = ufw.value.input ?? "unknown";
  return {
    layer,
    status: "active",
    detail: `switched on; the default for what comes in is ${input}`,
  };
}

function firewalldReport(
  { firewalld }: LinuxFacts,
): LayerReport {
  const layer = "firewalld";
  if (firewalld.type !== "known") return unknown(layer, firewalld, "firewalld");
  return firewalld.value === undefined
    ? { layer, status: "inactive", detail: "it does not run" }
    : {
      layer,
      status: "active",
      detail: `running; its default zone is ${firewalld.value.defaultZone}`,
    };
}

function unknown(
  layer: LayerName,
  fact: Exclude<Fact<unknown>, { type: "known" }>,
  tool: string,
): LayerReport {
  if (fact.type === "absent") {
    // Without nft its rules may still be there, loaded by another program.
    return tool === "nft"
      ? {
        layer,
        status: "unknown",
        why: "nft, which shows it, is not installed",
      }
      : { layer, status: "absent", detail: `${tool} is not installed` };
  }
  const { why, command } = fact;
  return { layer, status: "unknown", why, ...(command && { command }) };
}
