import { FAMILIES } from "./_assemble.ts";
import type { NetworkSnapshot } from "./snapshot.ts";

/**
 * What tells the network behind a host from others: the routers that it goes
 * out by, with their hardware addresses. Home and office may both be
 * 192.168.1.0/24 behind 192.168.1.1, and have different ids; the same network
 * has the same one tomorrow. `undefined` while no router is known, or where its
 * hardware cannot be seen (only Linux shows it).
 *
 * ```ts
 * import { networkIdOf, readSnapshot } from "@holdfast/netwatch";
 * import { assert } from "@std/assert";
 *
 * const id = networkIdOf(await readSnapshot());
 * assert(id === undefined || id.includes("@"));
 * ```
 *
 * It is a name and no secret: whoever is on the network can have the same one.
 *
 * @returns `gateway@hardware` of each family that has both, joined by a comma.
 */
export function networkIdOf(snapshot: NetworkSnapshot): string | undefined {
  const ids = FAMILIES.flatMap((family) => {
    const { gateway, hardware } = snapshot.effective[family] ?? {};
    return gateway === undefined || hardware === undefined
      ? []
      : [`${gateway}@${hardware}`];
  });
  return ids.length === 0 ? undefined : ids.join();
}
