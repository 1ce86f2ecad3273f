import { familyOf, sameIp, withoutZone } from "./_address.ts";
import type { DenoRow } from "./_deno_interfaces.ts";
import type { DefaultRoute } from "./snapshot.ts";

/** The arguments: both families in one go. */
export const ROUTE_PRINT_ARGS: readonly string[] = ["print"];

/**
 * Reads the default routes of `route print` on Windows. Its headings are
 * translated, so rows are told by their shape alone, in any code page.
 * `undefined` when there is no route of any kind in it.
 *
 * `rows` give names to the interfaces, which it tells by address (IPv4) or
 * number (IPv6).
 */
export function parseRoutePrint(
  text: string,
  rows: readonly DenoRow[],
): DefaultRoute[] | undefined {
  let tables = 0;
  const routes: DefaultRoute[] = [];
  for (const line of text.split(/\r?\n/)) {
    const words = line.trim().split(/\s+/);
    if (isIPv4Row(words)) {
      tables++;
      const route = toIPv4(words, rows);
      if (route !== undefined) routes.push(route);
    } else if (isIPv6Row(words)) {
      tables++;
      const route = toIPv6(words, rows);
      if (route !== undefined) routes.push(route);
    }
  }
  return tables === 0 ? undefined : routes;
}

/**
 * `destination mask gateway… interface metric`. A persistent route repeats the
 * first three and ends in a metric or a word, so its last but one is its
 * gateway and nothing stands between: four words are not enough.
 */
function isIPv4Row(words: readonly string[]): boolean {
  return words.length >= 5 &&
    familyOf(words[0]!) === "IPv4" && familyOf(words[1]!) === "IPv4" &&
    familyOf(words.at(-2)!) === "IPv4" && isNumber(words.at(-1)!);
}

/** `if metric destination/prefix gateway…`; a long destination wraps the line. */
function isIPv6Row(words: readonly string[]): boolean {
  return words.length >= 3 && isNumber(words[0]!) && isNumber(words[1]!) &&
    /^[0-9a-f:.]+\/\d{1,3}$/i.test(words[2]!) && words[2]!.includes(":");
}

function isNumber(word: string): boolean {
  return /^\d{1,10}$/.test(word);
}

function toIPv4(
  words: readonly string[],
  rows: readonly DenoRow[],
): DefaultRoute | undefined {
  // The mask too: `0.0.0.0 128.0.0.0` is half of the Internet, for a VPN.
  if (words[0] !== "0.0.0.0" || words[1] !== "0.0.0.0") return undefined;
  const address = words.at(-2)!;
  const name = rows.find((row) => sameIp(row.address, address))?.name;
  // On-link is one word or two, in the language of the system.
  const between = words.slice(2, -2);
  const gateway = between.length === 1 && familyOf(between[0]!) === "IPv4"
    ? between[0]
    : undefined;
  return {
    family: "IPv4",
    type: "unicast",
    ...(gateway !== undefined && { gateway }),
    ...(name !== undefined && { interface: name }),
    metric: Number(words.at(-1)),
    table: "main",
  };
}

function toIPv6(
  words: readonly string[],
  rows: readonly DenoRow[],
): DefaultRoute | undefined {
  const index = Number(words[0]);
  // A persistent route has interface 0: it is a wish, not a state.
  if (words[2] !== "::/0" || index === 0) return undefined;
  const name = rows.find(({ scopeid }) => scopeid === index)?.name;
  const told = words.length === 4 ? withoutZone(words[3]!) : "";
  const gateway = familyOf(told) === "IPv6" ? told : undefined;
  return {
    family: "IPv6",
    type: "unicast",
    ...(gateway !== undefined && { gateway }),
    ...(name !== undefined && { interface: name }),
    metric: Number(words[1]),
    table: "main",
  };
}
