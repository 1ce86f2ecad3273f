/**
 * What `/etc/resolv.conf` and `/etc/hosts` say, as resolv.conf(5) and hosts(5)
 * have it. Pure: the text comes in.
 */
import { isIP } from "node:net";
import type { DnsServer, ResolvedAddress } from "./_dns_types.ts";

/** The servers, and the domains to try for short names. */
export interface DnsConfig {
  readonly servers: readonly DnsServer[];
  readonly search: readonly string[];
  /** A name with fewer dots is tried with the domains first. */
  readonly ndots: number;
}

/** glibc's MAXNS and MAXDNSRCH. */
const SERVERS_MAX = 3;
const SEARCH_MAX = 6;
/** Entries of the hosts file are read anew each time, so they do not age. */
const HOSTS_TTL_SECONDS = 0;

/** Reads the text of `resolv.conf`. */
export function readResolvConf(text: string): DnsConfig {
  const servers: DnsServer[] = [];
  let search: readonly string[] = [];
  let ndots = 1;
  for (const line of text.split("\n")) {
    const [key, ...values] = line.replace(/[#;].*$/, "").trim().split(/\s+/);
    const [first = ""] = values;
    if (key === "nameserver" && isIP(first.replace(/%.*$/, "")) !== 0) {
      servers.push({ hostname: first, port: 53 });
    } else if (key === "search" || key === "domain") {
      search = values.slice(0, SEARCH_MAX);
    } else if (key === "options") {
      for (const value of values) {
        const dots = /^ndots:(\d{1,2})$/.exec(value)?.[1];
        if (dots !== undefined) ndots = Math.min(15, Number(dots));
      }
    }
  }
  return { servers: servers.slice(0, SERVERS_MAX), search, ndots };
}

/** The full names to ask for, in order. */
export function fullNames(
  name: string,
  { search, ndots }: Pick<DnsConfig, "search" | "ndots">,
): readonly string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const longer = search.map((domain) => `${name}.${domain}`);
  const dots = name.split(".").length - 1;
  return dots >= ndots ? [name, ...longer] : [...longer, name];
}

/** The addresses that the text of `hosts` gives a name. */
export function readHosts(text: string, name: string): ResolvedAddress[] {
  const wanted = name.toLowerCase().replace(/\.$/, "");
  const found: ResolvedAddress[] = [];
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*$/, "").trim()
      .split(/\s+/);
    const version = isIP(address);
    if (version === 0) continue;
    if (!names.some((own) => own.toLowerCase() === wanted)) continue;
    found.push({
      address,
      family: version === 4 ? "v4" : "v6",
      ttlSeconds: HOSTS_TTL_SECONDS,
    });
  }
  return found;
}

/**
 * The name as it goes on the wire; `undefined` where it cannot be one:
 * RFC 1035 §2.3.4, and IDNA as URLs have it.
 */
export function wireName(name: string): string | undefined {
  let ascii = name;
  // deno-lint-ignore no-control-regex -- that is what is looked for
  if (/[^\x00-\x7f]/.test(name)) {
    // In a URL these would end the name, or stand before it.
    if (/[/\\?#@:[\]%\s]/.test(name)) return undefined;
    try {
      ascii = new URL(`http://${name}/`).hostname;
    } catch {
      return undefined;
    }
  }
  const bare = ascii.replace(/\.$/, "");
  const labels = bare.split(".");
  const right = bare.length > 0 && bare.length <= 253 &&
    labels.every((label) => /^[A-Za-z0-9_-]{1,63}$/.test(label)) &&
    isIP(bare) === 0;
  return right ? ascii.toLowerCase() : undefined;
}
