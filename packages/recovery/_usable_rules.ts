/**
 * Whether a connection can be made now, by what the kernel's own tables say.
 * Pure: it reads the output of `ip`, and decides.
 */

/** Why it cannot yet. */
export type NotUsable =
  | "no-route"
  | "link-down"
  | "no-carrier"
  | "no-source"
  | "tentative"
  | "duplicate-address"
  | "neighbour-silent";

/** What the tables say. */
export type UsableVerdict =
  | {
    readonly usable: true;
    readonly interface: string;
    readonly source: string | undefined;
    /** Nobody has spoken with the next hop yet: only a packet can tell. */
    readonly unproven: boolean;
  }
  | { readonly usable: false; readonly reason: NotUsable };

type Row = Readonly<Record<string, unknown>>;

/**
 * An address as the kernel writes it, in lower case and short, without the zone;
 * one of IPv4 that is written as IPv6 goes by the tables of IPv4.
 */
export function plainAddress(address: string): string {
  const bare = address.replace(/%.*$/, "");
  if (!bare.includes(":")) return bare;
  const short = new URL(`http://[${bare}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short);
  if (mapped === null) return short;
  return mapped.slice(1).map((group) => parseInt(group, 16))
    .map((group) => `${group >> 8}.${group & 255}`).join(".");
}

/** What `ip route get` is asked, word by word: a zone is an interface. */
export function routeQuestion(address: string): string[] {
  const zone = /%(.+)$/.exec(address)?.[1];
  const device = zone === undefined
    ? []
    : ["dev", /^\d+$/.test(zone) ? `if${zone}` : zone];
  return ["route", "get", plainAddress(address), ...device];
}

/** What `ip -j -force -batch -` is asked about a destination. */
export function usableBatch(address: string): string {
  return `${routeQuestion(address).join(" ")}\naddr show\nneigh show\n`;
}

/** Judges its answer; an `ip` that does not understand gives nothing. */
export function judgeUsable(
  destination: string,
  output: string,
): UsableVerdict | undefined {
  const address = plainAddress(destination);
  const lists = output.split("\n").filter((line) => line.trim() !== "")
    .map(rowsOf);
  if (lists.length === 0 || lists.some((list) => list === undefined)) {
    return undefined;
  }
  const rows = (lists as Row[][]).flat();
  const links = rows.filter((row) => typeof row.ifname === "string");
  if (links.length === 0) return undefined;
  const route = rows.find((row) =>
    row.dst === address && row.dev !== undefined && row.state === undefined
  );
  const type = String(route?.type ?? "unicast");
  if (route === undefined || type !== "unicast" && type !== "local") {
    // Without a route it may be for want of a link or an address.
    return { usable: false, reason: whyNoRoute(links) };
  }
  return judgeRoute(address, route, links, rows);
}

function judgeRoute(
  address: string,
  route: Row,
  links: readonly Row[],
  rows: readonly Row[],
): UsableVerdict {
  const name = String(route.dev);
  const link = links.find((row) => row.ifname === name);
  const refuse = (reason: NotUsable) => ({ usable: false, reason }) as const;
  if (!has(link, "UP")) return refuse("link-down");
  if (!has(link, "LOWER_UP")) return refuse("no-carrier");
  const isSix = address.includes(":");
  const source = typeof route.prefsrc === "string" ? route.prefsrc : undefined;
  const local = route.type === "local" || name === "lo";
  if (isSix && !local) {
    const why = whyNoSource(address, source, link!);
    if (why !== undefined) return refuse(why);
  }
  const { gateway } = route;
  const hop = typeof gateway === "string" ? gateway : address;
  const neighbour = rows.find((row) =>
    row.dst === hop && row.dev === name && Array.isArray(row.state)
  );
  const state = String((neighbour?.state as unknown[] | undefined)?.[0] ?? "");
  if (state === "FAILED") return refuse("neighbour-silent");
  const unproven = !local &&
    (neighbour === undefined || state === "INCOMPLETE");
  return { usable: true, interface: name, source, unproven };
}

/**
 * The kernel picks a source that is still being checked for duplicates as
 * little as it tells of it: it takes another one, such as `::1`, with which no
 * answer ever comes back (RFC 4862 §5.4, RFC 6724).
 */
function whyNoSource(
  address: string,
  source: string | undefined,
  link: Row,
): NotUsable | undefined {
  const wanted = isLinkLocal(address) ? "link" : "global";
  const own = addressesOf(link).filter((row) =>
    row.family === "inet6" && row.scope === wanted
  );
  const good = own.filter((row) =>
    row.tentative !== true && row.dadfailed !== true
  );
  if (source !== undefined && good.some((row) => row.local === source)) {
    return undefined;
  }
  if (good.length > 0 && source === undefined) return undefined;
  if (own.some((row) => row.tentative === true && row.dadfailed !== true)) {
    return "tentative";
  }
  if (own.some((row) => row.dadfailed === true)) return "duplicate-address";
  // An address of another interface will do, if it is no stopgap.
  return source === undefined || source === "::1" || isLinkLocal(source)
    ? "no-source"
    : undefined;
}

function whyNoRoute(links: readonly Row[]): NotUsable {
  const real = links.filter((row) => row.ifname !== "lo");
  if (!real.some((row) => has(row, "UP"))) return "link-down";
  if (!real.some((row) => has(row, "LOWER_UP"))) return "no-carrier";
  return "no-route";
}

function addressesOf(link: Row): readonly Row[] {
  return Array.isArray(link.addr_info) ? link.addr_info.filter(isRow) : [];
}

function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}

function has(row: Row | undefined, flag: string): boolean {
  return Array.isArray(row?.flags) && row.flags.includes(flag);
}

function rowsOf(line: string): Row[] | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return Array.isArray(value) ? value.filter(isRow) : undefined;
  } catch {
    return undefined;
  }
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
