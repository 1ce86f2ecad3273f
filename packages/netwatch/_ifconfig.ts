/** Interfaces as `ifconfig -a` of macOS, FreeBSD and NetBSD prints them. */
import { familyOf, scopeOf, withoutZone } from "./_address.ts";
import type { InterfaceAddress, NetworkInterface } from "./snapshot.ts";

/** The arguments: all interfaces, up or not. */
export const IFCONFIG_ARGS: readonly string[] = ["-a"];

const HEADER = /^(\S+): flags=[0-9a-fx]+<([A-Z0-9_,]*)>(.*)$/;

interface Open {
  readonly name: string;
  readonly flags: readonly string[];
  readonly mtu: number | undefined;
  status: string | undefined;
  readonly addresses: InterfaceAddress[];
}

/** `undefined` when it is not that output. */
export function parseIfconfig(text: string): NetworkInterface[] | undefined {
  const all: Open[] = [];
  for (const line of text.split(/\r?\n/)) {
    const header = HEADER.exec(line);
    if (header !== null) {
      const mtu = /\bmtu (\d{1,9})\b/.exec(header[3]!)?.[1];
      all.push({
        name: header[1]!,
        flags: header[2]!.split(","),
        mtu: mtu === undefined ? undefined : Number(mtu),
        status: undefined,
        addresses: [],
      });
      continue;
    }
    const open = all.at(-1);
    if (open === undefined || !/^\s/.test(line)) continue;
    const words = line.trim().split(/\s+/);
    if (words[0] === "status:") open.status = words.slice(1).join(" ");
    else if (words[0] === "inet" || words[0] === "inet6") {
      const address = toAddress(words);
      if (address !== undefined) open.addresses.push(address);
    }
  }
  return all.length === 0 ? undefined : all.map(toInterface);
}

function toInterface({ name, flags, mtu, status, addresses }: Open) {
  const up = flags.includes("UP");
  // Those that have no cable to speak of have no status either.
  const carrier = status === undefined
    ? flags.includes("RUNNING")
    : status === "active" || status === "associated" || status === "running";
  const kind = kindOf(name, flags);
  return {
    name,
    up,
    ...(up && { carrier }),
    ...(mtu !== undefined && { mtu }),
    ...(kind !== undefined && { kind }),
    addresses,
  };
}

function kindOf(name: string, flags: readonly string[]): string | undefined {
  if (flags.includes("LOOPBACK")) return "loopback";
  const stem = /^[a-z]+/.exec(name)?.[0] ?? "";
  if (["utun", "tun", "ipsec", "ppp", "gif", "wg"].includes(stem)) return "tun";
  return stem === "bridge" ? "bridge" : undefined;
}

function toAddress(words: readonly string[]): InterfaceAddress | undefined {
  const text = withoutZone(words[1] ?? "");
  const family = familyOf(text);
  if (family === undefined) return undefined;
  if ((words[0] === "inet") !== (family === "IPv4")) return undefined;
  const after = (word: string) => words[words.indexOf(word) + 1];
  const prefix = family === "IPv6"
    ? Number(words.includes("prefixlen") ? after("prefixlen") : 128)
    : prefixOf(words.includes("netmask") ? after("netmask")! : "0xffffffff");
  if (!Number.isSafeInteger(prefix)) return undefined;
  if (prefix! > (family === "IPv4" ? 32 : 128) || prefix! < 0) return undefined;
  const has = (word: string) => words.includes(word);
  return {
    family,
    address: text,
    prefix: prefix!,
    scope: scopeOf(text),
    tentative: has("tentative") || has("duplicated"),
    deprecated: has("deprecated"),
    temporary: has("temporary"),
  };
}

/** `0xffffff00`, or `255.255.255.0` where somebody asked for that. */
function prefixOf(mask: string): number | undefined {
  const bytes = /^0x[0-9a-f]{8}$/i.test(mask)
    ? Number(mask)
    : familyOf(mask) === "IPv4"
    ? mask.split(".").reduce((sum, part) => sum * 256 + Number(part), 0)
    : undefined;
  if (bytes === undefined) return undefined;
  const bits = bytes.toString(2).padStart(32, "0");
  // A mask with holes is none.
  const ones = /^(1*)0*$/.exec(bits)?.[1];
  return ones?.length;
}
