import { familyOf, withoutZone } from "./_address.ts";
import type { AnswerRow } from "./_lookup.ts";
import { has, isRow, type Row, text } from "./_rows.ts";
import type { EffectiveRoute, Family, NetworkSnapshot } from "./snapshot.ts";

/**
 * Addresses by which the kernel is asked where the Internet lies. Nothing is
 * sent to them. The AS112 prefixes (RFC 7535) are global by decree, so no
 * local network and no documentation example holds them.
 */
export const PROBES: Readonly<Record<Family, string>> = {
  IPv4: "192.31.196.1",
  IPv6: "2001:4:112::1",
};

/** The router; one of the other family stands under `via` (RFC 5549). */
export function gatewayOf(hop: Row): string | undefined {
  const via = isRow(hop.via) ? text(hop.via.host) : undefined;
  const gateway = text(hop.gateway) ?? via;
  return gateway !== undefined && familyOf(gateway) !== undefined
    ? withoutZone(gateway)
    : undefined;
}

/** Where the Internet lies, by the answers to {@linkcode PROBES}. */
export function toEffective(
  rows: readonly Row[],
): NetworkSnapshot["effective"] {
  const found: { IPv4?: EffectiveRoute; IPv6?: EffectiveRoute } = {};
  for (const family of ["IPv4", "IPv6"] as const) {
    const row = rows.find(({ dst, from }) =>
      dst === PROBES[family] && sourceOf(from) === undefined
    );
    // A refusal has a type of its own, or leads to the loopback interface.
    if (row === undefined || row.dev === "lo") continue;
    if ((text(row.type) ?? "unicast") !== "unicast") continue;
    const route = toRoute(row, family);
    if (route === undefined) continue;
    const hardware = hardwareOf(route.gateway, route.interface, rows);
    found[family] = {
      ...route,
      ...(hardware !== undefined && { hardware }),
    };
  }
  return found;
}

function toRoute(row: Row, family: Family): EffectiveRoute | undefined {
  const name = text(row.dev);
  if (name === undefined) return undefined;
  const gateway = gatewayOf(row);
  return {
    family,
    interface: name,
    ...(gateway !== undefined && { gateway }),
  };
}

/** A row of `route get`: of those of rules and neighbours none has both. */
export function toAnswer(row: Row): AnswerRow[] {
  const to = text(row.dst);
  const family = to === undefined ? undefined : familyOf(to);
  const type = text(row.type) ?? "unicast";
  if (to === undefined || family === undefined || Array.isArray(row.state)) {
    return [];
  }
  if (type !== "unicast" && type !== "local") return [];
  const route = toRoute(row, family);
  return route === undefined ? [] : [{ to, from: sourceOf(row.from), route }];
}

/** Some versions say `::` where no source was given. */
function sourceOf(from: unknown): string | undefined {
  return from === "::" ? undefined : text(from);
}

/** What a neighbour answers to; the kernel forgets it with the carrier. */
function hardwareOf(
  gateway: string | undefined,
  dev: string,
  rows: readonly Row[],
): string | undefined {
  const row = rows.find((row) =>
    row.dst === gateway && row.dev === dev && Array.isArray(row.state)
  );
  if (row === undefined || has(row.state, "FAILED")) return undefined;
  return text(row.lladdr)?.toLowerCase();
}
