import { familyOf, withoutZone } from "./_address.ts";
import type { DefaultRoute, Family } from "./snapshot.ts";

/** The arguments: all families, numbers only (names may hang on a resolver). */
export const NETSTAT_ARGS: readonly string[] = ["-rn"];

interface Columns {
  readonly gateway: number;
  readonly flags: number;
  readonly netif: number;
}

/**
 * Reads the default routes of `netstat -rn` as macOS and the BSDs print it,
 * in its order. `undefined` when it is not such a table.
 *
 * Columns are found by their header, for they differ by system and version
 * (`Refs Use` before `Netif`, `Mtu` behind it).
 */
export function parseNetstat(text: string): DefaultRoute[] | undefined {
  let family: Family | undefined;
  let columns: Columns | undefined;
  let headers = 0;
  const routes: DefaultRoute[] = [];
  for (const line of text.split("\n")) {
    const words = line.trim().split(/\s+/);
    if (/^Internet6?:$/.test(words[0]!)) {
      family = words[0] === "Internet:" ? "IPv4" : "IPv6";
      columns = undefined;
    } else if (words[0] === "Destination") {
      columns = findColumns(words);
      if (columns !== undefined && family !== undefined) headers++;
    } else if (words[0] === "default" && columns && family) {
      const route = toRoute(words, columns, family);
      if (route !== undefined) routes.push(route);
    }
  }
  return headers === 0 ? undefined : routes;
}

function findColumns(header: readonly string[]): Columns | undefined {
  const gateway = header.indexOf("Gateway");
  const flags = header.indexOf("Flags");
  const netif = header.findIndex((word) =>
    word === "Netif" || word === "Interface" || word === "Iface"
  );
  return gateway < 0 || flags < 0 || netif < 0
    ? undefined
    : { gateway, flags, netif };
}

function toRoute(
  words: readonly string[],
  columns: Columns,
  family: Family,
): DefaultRoute | undefined {
  const [told, flags, name] = [
    words[columns.gateway],
    words[columns.flags],
    words[columns.netif],
  ];
  // The flag must look like one: else the columns are not where they seem.
  if (told === undefined || name === undefined) return undefined;
  if (flags === undefined || !/^[A-Za-z0-9]+$/.test(flags)) return undefined;
  if (!flags.includes("U")) return undefined;
  // `link#17` is the interface itself, and so is `fe80::%utun0`: no router.
  const plain = withoutZone(told);
  const gateway = familyOf(plain) === family && plain !== "fe80::" &&
      flags.includes("G")
    ? plain
    : undefined;
  return {
    family,
    type: typeOf(flags),
    ...(gateway !== undefined && { gateway }),
    interface: name,
    metric: 0,
    table: "main",
  };
}

/** Upper case matters: `I` is bound to an interface, `g` and `c` are others. */
function typeOf(flags: string): string {
  if (flags.includes("R")) return "unreachable";
  if (flags.includes("B")) return "blackhole";
  return flags.includes("I") ? "scoped" : "unicast";
}
