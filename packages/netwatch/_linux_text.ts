/**
 * The plain output of `ip -o`, for those that give no JSON: BusyBox, and
 * iproute2 before 4.14. It says less (no hops of multipath routes in BusyBox,
 * no kinds of interfaces), and is asked for in several processes.
 */
import { familyOf, scopeOf, withoutZone } from "./_address.ts";
import type { Parts } from "./_assemble.ts";
import type {
  DefaultRoute,
  EffectiveRoute,
  Family,
  InterfaceAddress,
  NetworkInterface,
  NetworkSnapshot,
  RoutingRule,
} from "./snapshot.ts";

/** What each process printed; empty where it printed nothing. */
export interface IpTexts {
  readonly links: string;
  readonly addresses: string;
  readonly routes: Readonly<Record<Family, string>>;
  readonly rules: Readonly<Record<Family, string>>;
  readonly effective: Readonly<Record<Family, string>>;
}

const FAMILIES = ["IPv4", "IPv6"] as const;

// Of `ip -o`, where a backslash stands for each line break.
const LINK = /^(\d+): ([^:@\s]+)(?:@\S+)?: <([A-Z0-9_,-]*)> mtu (\d+)/;
const ADDRESS = /^\d+: (\S+)\s+inet6? ([0-9a-f.:]+)(?:\/(\d+))?(.*)/;
const RULE = /^(\d+):\s+(.*)$/;

/** `undefined` when it is not the output of `ip -o`. */
export function parseIpText(texts: IpTexts): Parts | undefined {
  const links = lines(texts.links).flatMap(toLink);
  if (links.length === 0) return undefined;
  const addresses = Map.groupBy(
    lines(texts.addresses).flatMap(toAddress),
    ({ name }) => name,
  );
  return {
    interfaces: links.map((entry) => ({
      ...entry,
      addresses: (addresses.get(entry.name) ?? []).map(({ address }) =>
        address
      ),
    })),
    defaultRoutes: FAMILIES.flatMap((family) =>
      lines(texts.routes[family]).flatMap((line) => toRoutes(line, family))
    ),
    rules: FAMILIES.flatMap((family) =>
      lines(texts.rules[family]).flatMap((line) => toRule(line, family))
    ),
    effective: toEffective(texts.effective),
    links: true,
    sources: ["ip"],
  };
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

function toLink(line: string): NetworkInterface[] {
  const found = LINK.exec(line);
  if (found === null) return [];
  const [, index, name, flags, mtu] = found as unknown as string[];
  const words = flags!.split(",");
  const up = words.includes("UP");
  return [{
    name: name!,
    index: Number(index),
    up,
    ...(up && { carrier: words.includes("LOWER_UP") }),
    mtu: Number(mtu),
    addresses: [],
  }];
}

function toAddress(
  line: string,
): { readonly name: string; readonly address: InterfaceAddress }[] {
  const found = ADDRESS.exec(line);
  const text = found?.[2];
  const family = text === undefined ? undefined : familyOf(text);
  if (text === undefined || family === undefined) return [];
  const own = scopeOf(text);
  const words = (found![4] ?? "").split(/[\s\\]+/);
  const told = words[words.indexOf("scope") + 1];
  const has = (word: string) => words.includes(word);
  const prefix = Number(found![3] ?? (family === "IPv4" ? 32 : 128));
  if (prefix > (family === "IPv4" ? 32 : 128)) return [];
  return [{
    name: found![1]!,
    address: {
      family,
      address: text,
      prefix,
      scope: own === "global" &&
          (told === "site" || told === "link" || told === "host")
        ? told
        : own,
      tentative: has("tentative") || has("dadfailed"),
      deprecated: has("deprecated"),
      temporary: has("temporary"),
    },
  }];
}

const TYPES: ReadonlySet<string> = new Set([
  "blackhole",
  "prohibit",
  "throw",
  "unreachable",
]);

function toRoutes(line: string, family: Family): DefaultRoute[] {
  const [head, ...hops] = line.split("nexthop ");
  const words = head!.split(/[\s\\]+/).filter((word) => word !== "");
  const type = TYPES.has(words[0] ?? "") ? words.shift()! : "unicast";
  if (words[0] !== "default") return [];
  const after = (from: readonly string[], word: string) => {
    const at = from.indexOf(word);
    return at < 0 ? undefined : from[at + 1];
  };
  const route = (hop: readonly string[]): DefaultRoute => {
    const via = after(hop, "via");
    // "via inet6 fe80::1": a router of the other family (RFC 5549).
    const text = via === "inet6" ? after(hop, "inet6") : via;
    const gateway = text !== undefined && familyOf(text) !== undefined
      ? withoutZone(text)
      : undefined;
    const name = after(hop, "dev");
    const weight = after(hop, "weight");
    return {
      family,
      type,
      ...(gateway !== undefined && { gateway }),
      ...(name !== undefined && { interface: name }),
      metric: whole(after(words, "metric")) ?? 0,
      ...(weight !== undefined && { weight: whole(weight) ?? 1 }),
      table: after(words, "table") ?? "main",
    };
  };
  return hops.length === 0
    ? [route(words)]
    : hops.map((hop) => route(hop.split(/[\s\\]+/)));
}

function whole(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text)
    ? Number(text)
    : undefined;
}

function toRule(line: string, family: Family): RoutingRule[] {
  const found = RULE.exec(line.trim());
  if (found === null) return [];
  const words = found[2]!.split(/\s+/);
  const at = words.findIndex((word) => word === "lookup" || TYPES.has(word));
  if (at < 0) return [];
  const lookup = words[at] === "lookup";
  const match = words.slice(0, at).join(" ")
    .replace(/^from all$|^from all /, "").replace(/\bfrom /, "src ");
  return [{
    family,
    priority: Number(found[1]),
    match,
    action: lookup ? `table ${words[at + 1] ?? "main"}` : words[at]!,
  }];
}

function toEffective(
  texts: IpTexts["effective"],
): NetworkSnapshot["effective"] {
  const found: { IPv4?: EffectiveRoute; IPv6?: EffectiveRoute } = {};
  for (const family of FAMILIES) {
    const words = (lines(texts[family])[0] ?? "").split(/[\s\\]+/);
    const name = words[words.indexOf("dev") + 1];
    if (!words.includes("dev") || TYPES.has(words[0]!)) continue;
    if (name === undefined || name === "" || name === "lo") continue;
    const via = words.includes("via") ? words[words.indexOf("via") + 1] : "";
    const gateway = familyOf(via!) === undefined
      ? undefined
      : withoutZone(via!);
    found[family] = {
      family,
      interface: name,
      ...(gateway !== undefined && { gateway }),
    };
  }
  return found;
}
