import { type Packet, packetsOf } from "./_nft_packet.ts";
import type { NftChain, NftRuleset } from "./_nft_ruleset.ts";
import { type Drop, place, walkChain } from "./_nft_walk.ts";
import type { Asked } from "./_request.ts";
import type { Family } from "./outcome.ts";

/** What a ruleset does to the asked connection. */
export type Evaluation =
  | { readonly type: "passes" }
  | { readonly type: "dropped"; readonly drop: Drop; readonly packet: Packet }
  | { readonly type: "unknown"; readonly why: string };

/** Which chains do not count: their manager is asked instead. */
export type Skip = (chain: NftChain) => boolean;

/**
 * What becomes of the packets of one family. `dropped` and `passes` are
 * certain; whatever is not understood is `unknown`.
 */
export function evaluateFamily(
  ruleset: NftRuleset,
  asked: Asked,
  family: Family,
  skip: Skip = () => false,
): Evaluation {
  const bases = [...ruleset.chains.values()].filter((chain) =>
    chain.hook !== undefined && !skip(chain)
  );
  const strange = bases.find(isStrange);
  if (strange !== undefined) {
    const where = place({ chain: strange, rule: undefined });
    return {
      type: "unknown",
      why: `${where} is in a place that is not followed (${strange.hook})`,
    };
  }
  let dropped: Evaluation | undefined;
  let unknown: Evaluation | undefined;
  for (const packet of packetsOf(asked, family)) {
    for (const chain of bases) {
      if (!sees(chain, packet)) continue;
      const { mayAccept, drop, doubt, taint } = walkChain(
        ruleset,
        chain,
        packet,
      );
      // A changed packet may be dropped or saved by any other chain.
      if (taint !== undefined) return { type: "unknown", why: taint };
      if (drop === undefined) continue;
      if (!mayAccept) dropped ??= { type: "dropped", drop, packet };
      else unknown ??= { type: "unknown", why: doubt ?? place(drop) };
    }
  }
  return dropped ?? unknown ?? { type: "passes" };
}

/** Whether the chain is on the way of the packet. */
function sees(chain: NftChain, packet: Packet): boolean {
  // The kernel asks chains for translation only about first packets.
  if (chain.type === "nat" && packet.state !== "new") return false;
  const family = packet.family === "ipv4" ? "ip" : "ip6";
  return (chain.family === "inet" || chain.family === family) &&
    packet.hooks.includes(chain.hook ?? "");
}

/** Chains of links, bridges and ARP: they come first, and are not followed. */
function isStrange(chain: NftChain): boolean {
  const inside = ["inet", "ip", "ip6"].includes(chain.family) &&
    ["prerouting", "input", "forward", "output", "postrouting"]
      .includes(chain.hook ?? "");
  return !inside && (chain.rules.length > 0 || chain.policy === "drop");
}
