import { familyOf, scopeOf } from "./_address.ts";
import type { Parts } from "./_assemble.ts";
import { answersOf, type Lookup, type Lookups } from "./_lookup.ts";
import { gatewayOf, PROBES, toAnswer, toEffective } from "./_linux_ways.ts";
import { has, isRow, number, type Row, rowsIn, text } from "./_rows.ts";
import type {
  DefaultRoute,
  Family,
  InterfaceAddress,
  NetworkInterface,
  RoutingRule,
} from "./snapshot.ts";

/** The arguments of the one process that reads everything. */
export const IP_ARGS: readonly string[] = [
  "-j",
  "-d",
  "-force",
  "-batch",
  "-",
];

/** The arguments that list the IPv6 rules: a batch has no line that does. */
export const IP_RULE6_ARGS: readonly string[] = ["-6", "-j", "rule", "show"];

/**
 * Its standard input. The route lists are filtered, because a full dump on a
 * router takes 100 ms; `route get` also tells what rules and half-Internet
 * VPN routes (0/1 and 128/1) make of them.
 */
const IP_BATCH: readonly string[] = [
  "addr show",
  "route show table all default",
  "rule show",
  `route get ${PROBES.IPv4}`,
  `route get ${PROBES.IPv6}`,
];

/**
 * What is asked in one process; with the neighbours that are named, or all of
 * them (the kernel keeps about a thousand), and the ways out of single paths.
 */
export function ipBatch(
  neighbours: readonly string[] | "all" = [],
  lookups: readonly Lookup[] = [],
): string {
  const asked = neighbours === "all"
    ? ["neigh show"]
    : neighbours.map((address) => `neigh show ${address}`);
  const ways = lookups.map(({ command }) => command);
  return [...IP_BATCH, ...asked, ...ways, ""].join("\n");
}

/** What one process of `ip` told. */
export interface IpAnswer {
  readonly parts: Parts;
  /** The ways out that were asked for. */
  readonly lookups: Lookups;
}

/**
 * Reads the output of `ip` for {@linkcode ipBatch}: one JSON array a line. A
 * command that fails prints no line, and an empty list tells nothing of its
 * command: so the first line is the addresses, the second the routes, and the
 * others are told by their rows. `undefined` when it is not that output.
 */
export function parseIpBatch(
  text: string,
  asked: readonly Lookup[] = [],
): IpAnswer | undefined {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const [links, second, ...rest] = lines.map(parseRows);
  if (links === undefined || !links.some(isLink)) return undefined;
  const listsRules = (rows: readonly Row[] | undefined): boolean =>
    rows !== undefined &&
    rows.some((row) => number(row.priority) !== undefined);
  // Where the routes could not be listed, the rules have moved up.
  const routes = listsRules(second) ? undefined : second;
  const others = listsRules(second) ? [second, ...rest] : rest;
  const rules = others.find((rows) => listsRules(rows) || rows?.length === 0);
  const answers = others.flatMap((rows) => rows ?? []);
  const parts: Parts = {
    interfaces: links.filter(isLink).map(toInterface),
    defaultRoutes: routes?.flatMap(toDefaultRoutes),
    rules: rules?.filter((row) => number(row.priority) !== undefined)
      .map((row) => toRule(row, "IPv4")),
    effective: toEffective(answers),
    links: true,
    sources: ["ip"],
  };
  return { parts, lookups: answersOf(asked, answers.flatMap(toAnswer)) };
}

/** Reads the list of IPv6 rules; `undefined` when it is not that list. */
export function parseRules6(text: string): RoutingRule[] | undefined {
  return parseRows(text)
    ?.filter((row) => number(row.priority) !== undefined)
    .map((row) => toRule(row, "IPv6"));
}

function parseRows(line: string): readonly Row[] | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return Array.isArray(value) ? value.filter(isRow) : undefined;
  } catch {
    return undefined;
  }
}

function isLink(row: Row): boolean {
  return text(row.ifname) !== undefined && Number.isSafeInteger(row.ifindex);
}

function toInterface(row: Row): NetworkInterface {
  const up = has(row.flags, "UP");
  const mtu = number(row.mtu);
  const info = isRow(row.linkinfo) ? text(row.linkinfo.info_kind) : undefined;
  const kind = info ?? text(row.link_type);
  return {
    name: row.ifname as string,
    index: row.ifindex as number,
    up,
    // The kernel does not know the carrier of an interface that is off.
    ...(up && { carrier: has(row.flags, "LOWER_UP") }),
    ...(mtu !== undefined && { mtu }),
    ...(kind !== undefined && { kind }),
    addresses: rowsIn(row.addr_info).flatMap(toAddress),
  };
}

function toAddress(row: Row): InterfaceAddress[] {
  const address = text(row.local);
  const prefix = number(row.prefixlen);
  const family = address === undefined ? undefined : familyOf(address);
  if (address === undefined || prefix === undefined || family === undefined) {
    return [];
  }
  const told = text(row.scope);
  const own = scopeOf(address);
  return [{
    family,
    address,
    prefix,
    scope: own === "global" && (told === "site" || told === "link" ||
        told === "host")
      ? told
      : own,
    tentative: row.tentative === true || row.dadfailed === true,
    deprecated: row.deprecated === true,
    temporary: row.temporary === true,
  }];
}

function toDefaultRoutes(row: Row): DefaultRoute[] {
  if (row.dst !== "default") return [];
  const hops = rowsIn(row.nexthops);
  return hops.length === 0
    ? [toDefaultRoute(row, row)]
    : hops.map((hop) => toDefaultRoute(row, hop));
}

function toDefaultRoute(row: Row, hop: Row): DefaultRoute {
  const gateway = gatewayOf(hop);
  const name = text(hop.dev);
  const weight = number(hop.weight);
  const nexthop = number(row.nhid);
  return {
    family: routeFamily(row, gateway),
    type: text(row.type) ?? "unicast",
    ...(gateway !== undefined && { gateway }),
    ...(name !== undefined && { interface: name }),
    metric: number(row.metric) ?? 0,
    ...(weight !== undefined && { weight }),
    ...(nexthop !== undefined && { nexthop }),
    // `ip` names the table only with -d, or when it is another than main.
    table: text(row.table) ?? "main",
  };
}

/** `ip` does not say: but the kernel gives each IPv6 route a preference. */
function routeFamily(row: Row, gateway: string | undefined): Family {
  if ("pref" in row) return "IPv6";
  return gateway !== undefined && familyOf(gateway) === "IPv6" &&
      !("via" in row) && rowsIn(row.nexthops).every((hop) => !("via" in hop))
    ? "IPv6"
    : "IPv4";
}

function toRule(row: Row, family: Family): RoutingRule {
  const { priority, table, action, protocol: _, ...match } = row;
  const src = match.src === "all" && match.srclen === undefined ? ["src"] : [];
  return {
    family,
    priority: priority as number,
    match: Object.entries(match)
      .filter(([key]) => !src.includes(key))
      .map(([key, value]) => value === null ? key : `${key} ${String(value)}`)
      .sort().join(" "),
    action: text(action) ?? `table ${text(table) ?? "main"}`,
  };
}
