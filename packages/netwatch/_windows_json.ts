/**
 * What a Windows PowerShell says of the network, as JSON: numbers of the CIM
 * classes (MSFT_NetRoute, MSFT_NetIPAddress, MSFT_NetIPInterface,
 * MSFT_NetAdapter), and no text that is translated.
 */
import { familyOf, scopeOf, withoutZone } from "./_address.ts";
import { FAMILIES, type Parts } from "./_assemble.ts";
import type {
  DefaultRoute,
  EffectiveRoute,
  InterfaceAddress,
  NetworkInterface,
  NetworkSnapshot,
} from "./snapshot.ts";

/** One line of PowerShell that prints everything on one line. */
export const WINDOWS_SNAPSHOT: string = `@{
  routes = @(Get-NetRoute -DestinationPrefix '0.0.0.0/0','::/0' -PolicyStore ActiveStore |
    Select-Object InterfaceIndex, InterfaceAlias, DestinationPrefix, NextHop, RouteMetric, InterfaceMetric)
  addresses = @(Get-NetIPAddress -PolicyStore ActiveStore |
    Select-Object InterfaceIndex, InterfaceAlias, IPAddress, PrefixLength, @{n='AddressState';e={[int]$_.AddressState}}, @{n='SuffixOrigin';e={[int]$_.SuffixOrigin}})
  interfaces = @(Get-NetIPInterface -PolicyStore ActiveStore |
    Select-Object InterfaceIndex, InterfaceAlias, NlMtu)
  adapters = @(Get-NetAdapter -IncludeHidden |
    Select-Object InterfaceIndex, Name, InterfaceAdminStatus, InterfaceOperationalStatus, MediaConnectState)
} | ConvertTo-Json -Depth 3 -Compress`;

// MSFT_NetIPAddress.AddressState and SuffixOrigin.
const STATE = { tentative: 1, duplicate: 2, deprecated: 3 } as const;
const SUFFIX_RANDOM = 5;
// MSFT_NetAdapter.InterfaceAdminStatus and MediaConnectState.
const ADMIN_UP = 1;
const MEDIA_DISCONNECTED = 2;
const OPERATIONAL_UP = 1;

type Row = Readonly<Record<string, unknown>>;

/** `undefined` when it is not that JSON. */
export function parseWindows(text: string): Parts | undefined {
  let all: unknown;
  try {
    all = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRow(all) || !("addresses" in all)) return undefined;
  const adapters = rowsOf(all.adapters);
  const links = toInterfaces(all, adapters);
  const routes = rowsOf(all.routes).flatMap(toRoute);
  return {
    interfaces: links,
    defaultRoutes: routes,
    effective: best(routes, links),
    links: adapters.length > 0,
    sources: ["powershell"],
  };
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** PowerShell 5 turns a list of one into the one, and of none into nothing. */
function rowsOf(value: unknown): readonly Row[] {
  return (Array.isArray(value) ? value : [value]).filter(isRow);
}

function number(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value)
    ? value
    : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function toInterfaces(all: Row, adapters: readonly Row[]): NetworkInterface[] {
  const names = new Map<number, string>();
  const name = (row: Row, of: unknown): void => {
    const index = number(row.InterfaceIndex);
    const told = text(of);
    if (index !== undefined && told !== undefined) names.set(index, told);
  };
  const ips = rowsOf(all.interfaces);
  const addresses = rowsOf(all.addresses);
  for (const row of [...ips, ...addresses]) name(row, row.InterfaceAlias);
  for (const row of adapters) name(row, row.Name);
  return [...names].map(([index, name]) => {
    const of = ({ InterfaceIndex }: Row) => InterfaceIndex === index;
    const mtu = ips.filter(of).map(({ NlMtu }) => number(NlMtu))
      .find((mtu) => mtu !== undefined && mtu > 0 && mtu < 2 ** 31);
    return {
      name,
      index,
      ...linkOf(adapters.find(of), adapters.length > 0),
      ...(mtu !== undefined && { mtu }),
      addresses: addresses.filter(of).flatMap(toAddress),
    };
  });
}

function linkOf(
  adapter: Row | undefined,
  seen: boolean,
): { readonly up?: boolean; readonly carrier?: boolean } {
  if (!seen) return {};
  // The loopback interface has no adapter, and never goes down.
  if (adapter === undefined) return { up: true, carrier: true };
  const up = number(adapter.InterfaceAdminStatus) === ADMIN_UP;
  if (!up) return { up };
  const carrier =
    number(adapter.InterfaceOperationalStatus) === OPERATIONAL_UP &&
    number(adapter.MediaConnectState) !== MEDIA_DISCONNECTED;
  return { up, carrier };
}

function toAddress(row: Row): InterfaceAddress[] {
  const told = text(row.IPAddress);
  const address = told === undefined ? undefined : withoutZone(told);
  const family = address === undefined ? undefined : familyOf(address);
  const prefix = number(row.PrefixLength);
  if (address === undefined || family === undefined || prefix === undefined) {
    return [];
  }
  if (prefix < 0 || prefix > (family === "IPv4" ? 32 : 128)) return [];
  const state = number(row.AddressState);
  return [{
    family,
    address,
    prefix,
    scope: scopeOf(address),
    tentative: state === STATE.tentative || state === STATE.duplicate,
    deprecated: state === STATE.deprecated,
    temporary: number(row.SuffixOrigin) === SUFFIX_RANDOM &&
      scopeOf(address) === "global",
  }];
}

function toRoute(row: Row): DefaultRoute[] {
  const family = row.DestinationPrefix === "0.0.0.0/0"
    ? "IPv4"
    : row.DestinationPrefix === "::/0"
    ? "IPv6"
    : undefined;
  if (family === undefined) return [];
  const told = withoutZone(text(row.NextHop) ?? "");
  // All zeros: the interface itself is the link.
  const gateway = familyOf(told) === family && /[1-9a-f]/i.test(told)
    ? told
    : undefined;
  const name = text(row.InterfaceAlias);
  return [{
    family,
    type: "unicast",
    ...(gateway !== undefined && { gateway }),
    ...(name !== undefined && { interface: name }),
    // What Windows compares is the sum of the two.
    metric: (number(row.RouteMetric) ?? 0) + (number(row.InterfaceMetric) ?? 0),
    table: "main",
  }];
}

/** The lowest metric among interfaces that are up, as Windows chooses it. */
function best(
  routes: readonly DefaultRoute[],
  links: readonly NetworkInterface[],
): NetworkSnapshot["effective"] {
  const usable = routes.filter((route) => {
    const link = links.find(({ name }) => name === route.interface);
    return route.interface !== undefined && link?.up !== false &&
      link?.carrier !== false;
  });
  return Object.fromEntries(FAMILIES.flatMap((family) => {
    const [first] = usable.filter((route) => route.family === family)
      .toSorted((a, b) => a.metric - b.metric);
    if (first === undefined) return [];
    const { gateway } = first;
    const route: EffectiveRoute = {
      family,
      interface: first.interface!,
      ...(gateway !== undefined && { gateway }),
    };
    return [[family, route]];
  }));
}
