import { ipBytes, isLoopback, scopeOf } from "./_address.ts";
import type { Path } from "./path.ts";
import type { EffectiveRoute } from "./snapshot.ts";

/**
 * How many ways out are asked for by name. A lookup takes 20 µs of the kernel's
 * time; paths past the limit are judged by the default routes alone.
 */
export const LOOKUPS_MAX = 256;

/** A question to the kernel: which way would a packet of this path leave? */
export interface Lookup {
  /** What both the question and its answer are known by. */
  readonly key: string;
  /** The line for `ip -batch`. */
  readonly command: string;
}

/** The answers, by key; `undefined` is the answer that there is no way. */
export type Lookups = ReadonlyMap<string, EffectiveRoute | undefined>;

/**
 * The question for a path; `undefined` for those that no route decides: to the
 * host itself, to a link-local address, or with one end unknown.
 */
export function lookupOf({ localAddr, remoteAddr }: Path): Lookup | undefined {
  if (remoteAddr === undefined || isLoopback(remoteAddr)) return undefined;
  if (scopeOf(remoteAddr) !== "global") return undefined;
  const to = ipBytes(remoteAddr);
  const from = ipBytes(localAddr);
  if (to === undefined || from?.length !== to.length) return undefined;
  const anywhere = from.every((byte) => byte === 0);
  // Made anew from the bytes: what a caller wrote never reaches the command.
  return {
    key: keyOf(to, anywhere ? undefined : from),
    command: `route get ${textOf(to)}` +
      (anywhere ? "" : ` from ${textOf(from)}`),
  };
}

/** The questions of many paths, each once, up to the limit. */
export function lookupsOf(paths: Iterable<Path>): readonly Lookup[] {
  const asked = new Map<string, Lookup>();
  for (const path of paths) {
    const lookup = lookupOf(path);
    if (lookup !== undefined) asked.set(lookup.key, lookup);
    if (asked.size === LOOKUPS_MAX) break;
  }
  return [...asked.values()];
}

/** The answers among the rows that `ip -j route get` gave, refusals included. */
export function answersOf(
  lookups: readonly Lookup[],
  rows: readonly AnswerRow[],
): Lookups {
  const answers = new Map<string, EffectiveRoute | undefined>(
    lookups.map(({ key }) => [key, undefined]),
  );
  for (const { to, from, route } of rows) {
    const [toBytes, fromBytes] = [ipBytes(to), from && ipBytes(from)];
    if (toBytes === undefined || fromBytes === undefined && from) continue;
    const key = keyOf(toBytes, fromBytes || undefined);
    if (answers.has(key)) answers.set(key, route);
  }
  return answers;
}

/** One answer of the kernel. */
export interface AnswerRow {
  readonly to: string;
  readonly from?: string | undefined;
  readonly route: EffectiveRoute;
}

function keyOf(to: readonly number[], from: readonly number[] | undefined) {
  return `${to.join(".")} from ${from?.join(".") ?? "any"}`;
}

function textOf(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join(".");
  const words: string[] = [];
  for (let i = 0; i < bytes.length; i += 2) {
    words.push(((bytes[i]! << 8) | bytes[i + 1]!).toString(16));
  }
  return words.join(":");
}
