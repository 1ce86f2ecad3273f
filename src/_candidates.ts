/**
 * At which addresses others may reach a listener, and in which order they are
 * tried. What the system says is passed in.
 */
import { BlockList, isIP } from "node:net";
import type { Candidate } from "./_meeting.ts";

/** The least that is needed of `Deno.networkInterfaces()`. */
export type InterfaceRow = Pick<
  Deno.NetworkInterfaceInfo,
  "address" | "family" | "cidr"
>;

/** How far an address leads. */
export type Reach = "loopback" | "lan" | "global";

const EVERYWHERE: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);
/** As many as an answer may hold. */
export const CANDIDATES_MAX = 16;

/** RFC 1918, RFC 6598 and RFC 4193: addresses that lead nowhere from outside. */
const PRIVATE = new BlockList();
PRIVATE.addSubnet("10.0.0.0", 8, "ipv4");
PRIVATE.addSubnet("172.16.0.0", 12, "ipv4");
PRIVATE.addSubnet("192.168.0.0", 16, "ipv4");
PRIVATE.addSubnet("100.64.0.0", 10, "ipv4");
PRIVATE.addSubnet("fc00::", 7, "ipv6");

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}

/** How far an address leads, by the block that it is in. */
export function reachOf(address: string): Reach {
  if (address === "::1" || address.startsWith("127.")) return "loopback";
  return PRIVATE.check(address, familyOf(address)) ? "lan" : "global";
}

/**
 * The addresses of a listener: its own, or, where it listens on all, those of
 * the interfaces, loopback last. An address that holds on one link only says
 * nothing without the name of the link, and is left out.
 */
export function candidatesOf(
  addr: Deno.Addr | undefined,
  interfaces: () => readonly InterfaceRow[],
): Candidate[] {
  if (addr === undefined || !("hostname" in addr)) return [];
  const { hostname, port } = addr;
  if (!EVERYWHERE.has(hostname)) return [{ hostname, port }];
  return interfaces()
    .filter(({ address, family }) =>
      (hostname === "::" || family === "IPv4") && !isLinkLocal(address)
    )
    .map(({ address }) => ({ hostname: address, port }))
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, CANDIDATES_MAX);
}

function rank({ hostname }: Candidate): number {
  return { lan: 0, global: 0, loopback: 1 }[reachOf(hostname)];
}

function isLinkLocal(address: string): boolean {
  return address.startsWith("169.254.") || /^fe[89ab]/i.test(address);
}

/**
 * The order in which a peer's candidates are tried, with those left out that
 * cannot be meant. First what is on a link of this host, then global ones, then
 * other private ones; in each the families take turns, IPv6 first (RFC 8305
 * §4). Loopback is another host's, unless one of the other candidates is an own
 * address, or the peer has nothing else.
 */
export function inDialOrder(
  candidates: readonly Candidate[],
  own: readonly InterfaceRow[],
): Candidate[] {
  const addresses = new Set(own.map(({ address }) => address));
  const apart = candidates.filter(({ hostname }) =>
    reachOf(hostname) !== "loopback"
  );
  const sameHost = apart.length === 0 ||
    apart.some(({ hostname }) => addresses.has(hostname));
  const links = linksOf(own);
  const groups: Candidate[][] = [[], [], [], []];
  for (const candidate of candidates) {
    const { hostname } = candidate;
    const reach = reachOf(hostname);
    if (reach === "loopback") {
      if (sameHost) groups[0]!.push(candidate);
      continue;
    }
    const near = links.check(hostname, familyOf(hostname));
    groups[near ? 1 : reach === "global" ? 2 : 3]!.push(candidate);
  }
  return groups.flatMap(familiesByTurns);
}

function linksOf(own: readonly InterfaceRow[]): BlockList {
  const links = new BlockList();
  for (const { address, cidr } of own) {
    const prefix = Number(cidr?.split("/")[1]);
    if (reachOf(address) === "loopback" || !(prefix > 0)) continue;
    links.addSubnet(address, prefix, familyOf(address));
  }
  return links;
}

function familiesByTurns(candidates: readonly Candidate[]): Candidate[] {
  const six = candidates.filter(({ hostname }) => isIP(hostname) === 6);
  const four = candidates.filter(({ hostname }) => isIP(hostname) !== 6);
  const turns = Math.max(six.length, four.length);
  return Array.from({ length: turns }, (_, i) => [six[i], four[i]])
    .flat().filter((candidate) => candidate !== undefined);
}

/** Whether two lists name the same places, in any order. */
export function sameCandidates(
  a: readonly Candidate[],
  b: readonly Candidate[],
): boolean {
  const key = (list: readonly Candidate[]) => list.map(placeText).sort().join();
  return key(a) === key(b);
}

/** `host:port`, with brackets around IPv6. */
export function placeText({ hostname, port }: Candidate): string {
  return hostname.includes(":")
    ? `[${hostname}]:${port}`
    : `${hostname}:${port}`;
}

/**
 * What the other peer's move means for a connection that leads to `remote`:
 * `path-lost` when that address was among its candidates and is no more;
 * nothing when it is among the new ones alone, since then it is there already;
 * else the connection may live, and is replaced before it is left.
 */
export function afterMove(
  remote: string | undefined,
  before: readonly Candidate[],
  after: readonly Candidate[],
): "path-changed" | "path-lost" | undefined {
  const has = (list: readonly Candidate[]) =>
    list.some(({ hostname }) => hostname === remote);
  if (has(before)) return has(after) ? "path-changed" : "path-lost";
  return has(after) ? undefined : "path-changed";
}
