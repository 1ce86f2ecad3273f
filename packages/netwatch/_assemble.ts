import type {
  Aspect,
  DefaultRoute,
  EffectiveRoute,
  Family,
  InterfaceAddress,
  NetworkInterface,
  NetworkSnapshot,
  RoutingRule,
} from "./snapshot.ts";

/** Both families, in the order in which everything lists them. */
export const FAMILIES = ["IPv4", "IPv6"] as const;

/** What a system tells, before it is put in order. */
export interface Parts {
  readonly interfaces: readonly NetworkInterface[];
  /** In the system's own order, which decides between equal metrics. */
  readonly defaultRoutes?: readonly DefaultRoute[] | undefined;
  readonly rules?: readonly RoutingRule[] | undefined;
  /** The kernel's own answer; without it the lowest metric wins. */
  readonly effective?: NetworkSnapshot["effective"] | undefined;
  readonly links: boolean;
  readonly sources: readonly string[];
  readonly problems?: readonly string[] | undefined;
}

/** A snapshot in its fixed order, with what follows from the parts. */
export function assemble(parts: Parts): NetworkSnapshot {
  const { defaultRoutes, rules } = parts;
  const interfaces = parts.interfaces.map(inOrder).sort(byIndexAndName);
  const effective = parts.effective ?? lowest(defaultRoutes ?? []);
  const sees: Aspect[] = ["addresses"];
  if (parts.links) sees.push("links");
  if (defaultRoutes !== undefined) sees.push("routes");
  if (rules !== undefined) sees.push("rules");
  return {
    interfaces,
    defaultRoutes: sorted(defaultRoutes ?? []),
    rules: sorted(rules ?? []),
    effective,
    ...(defaultRoutes && {
      online: whyOffline({ interfaces, effective }) === undefined,
    }),
    sees: sees.sort(),
    sources: parts.sources,
    problems: parts.problems ?? [],
  };
}

/** The best usable route of each family in the main table. */
function lowest(
  routes: readonly DefaultRoute[],
): NetworkSnapshot["effective"] {
  const best = new Map<Family, DefaultRoute>();
  for (const route of routes) {
    if (route.type !== "unicast" || route.table !== "main") continue;
    if (route.interface === undefined) continue;
    const known = best.get(route.family);
    if (known === undefined || route.metric < known.metric) {
      best.set(route.family, route);
    }
  }
  return Object.fromEntries(
    [...best].map(([family, { interface: name, gateway }]) => [
      family,
      {
        family,
        interface: name!,
        ...(gateway !== undefined && { gateway }),
      } satisfies EffectiveRoute,
    ]),
  );
}

/** What is missing for some family to reach out; `undefined` when one can. */
export function whyOffline(
  { interfaces, effective }: Pick<NetworkSnapshot, "interfaces" | "effective">,
): "no-route" | "no-link" | "no-address" | undefined {
  let why: "no-route" | "no-link" | "no-address" = "no-route";
  for (const family of FAMILIES) {
    const route = effective[family];
    if (route === undefined) continue;
    const out = interfaces.find(({ name }) => name === route.interface);
    if (out === undefined || out.up === false || out.carrier === false) {
      if (why === "no-route") why = "no-link";
      continue;
    }
    // Any interface: an unnumbered link borrows the address of another.
    const usable = interfaces.some(({ addresses }) =>
      addresses.some((address) =>
        address.family === family && !address.tentative &&
        (address.scope === "global" || address.scope === "site")
      )
    );
    if (usable) return undefined;
    why = "no-address";
  }
  return why;
}

function inOrder(entry: NetworkInterface): NetworkInterface {
  const once = new Map<string, InterfaceAddress>();
  for (const address of entry.addresses) {
    const key = addressKey(address);
    if (!once.has(key)) once.set(key, address);
  }
  return { ...entry, addresses: sorted([...once.values()], addressKey) };
}

/** What makes an address of one interface the same one. */
export function addressKey(address: InterfaceAddress): string {
  return `${address.family} ${address.address}/${address.prefix}`;
}

function byIndexAndName(a: NetworkInterface, b: NetworkInterface): number {
  return (a.index ?? 0) - (b.index ?? 0) || compare(a.name, b.name);
}

function sorted<T>(
  items: readonly T[],
  key: (item: T) => string = JSON.stringify,
): readonly T[] {
  return items.map((item) => ({ item, text: key(item) }))
    .sort((a, b) => compare(a.text, b.text))
    .map(({ item }) => item);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
