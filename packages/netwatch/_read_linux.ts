import { assemble, FAMILIES, type Parts } from "./_assemble.ts";
import { denoRows, fromDenoRows } from "./_deno_interfaces.ts";
import {
  IP_ARGS,
  IP_RULE6_ARGS,
  ipBatch,
  parseIpBatch,
  parseRules6,
} from "./_linux_ip.ts";
import { PROBES } from "./_linux_ways.ts";
import { parseIpText } from "./_linux_text.ts";
import type { Lookup, Lookups } from "./_lookup.ts";
import { run } from "./_run.ts";
import type { NetworkSnapshot, RoutingRule } from "./snapshot.ts";

/** A snapshot, and the ways out that were asked for, where they can be. */
export interface Reading {
  readonly snapshot: NetworkSnapshot;
  readonly lookups?: Lookups | undefined;
}

/** What one process told. */
interface Told {
  readonly parts: Parts;
  readonly lookups?: Lookups | undefined;
}

/** The gateways that packets to the Internet go to. */
function gatewaysOf(effective: NetworkSnapshot["effective"]): string[] {
  return FAMILIES.flatMap((family) => effective[family]?.gateway ?? []);
}

/**
 * Reads everything: what one process of `ip` tells, who answers for its
 * gateways included, and the IPv6 rules.
 */
export async function readLinux(
  signal: AbortSignal | undefined,
  known?: NetworkSnapshot,
  paths: readonly Lookup[] = [],
): Promise<Reading> {
  const [told, rules6] = await both(
    readParts(signal, "all", paths),
    readRules6(signal),
  );
  if (typeof told === "string") return blind(told);
  const { parts, lookups } = told;
  return {
    snapshot: assemble(withRules6(parts, rules6 ?? rulesOf(known))),
    lookups,
  };
}

/**
 * Reads what one process tells, which is as fast as it gets; the IPv6 rules
 * stay as they were known.
 */
export async function readLinuxFast(
  signal: AbortSignal | undefined,
  known: NetworkSnapshot,
  paths: readonly Lookup[],
): Promise<Reading> {
  const told = await readParts(signal, gatewaysOf(known.effective), paths);
  if (typeof told === "string") return blind(told);
  const { parts, lookups } = told;
  return { snapshot: assemble(withRules6(parts, rulesOf(known))), lookups };
}

function rulesOf(
  known: NetworkSnapshot | undefined,
): readonly RoutingRule[] | undefined {
  return known?.rules.filter(({ family }) => family === "IPv6");
}

function withRules6(
  parts: Parts,
  rules6: readonly RoutingRule[] | undefined,
): Parts {
  const { rules } = parts;
  if (rules === undefined || rules6 === undefined) return parts;
  const rules4 = rules.filter(({ family }) => family === "IPv4");
  // In plain words both were asked for already.
  const own = rules.filter(({ family }) => family === "IPv6");
  return { ...parts, rules: [...rules4, ...(own.length > 0 ? own : rules6)] };
}

async function readParts(
  signal: AbortSignal | undefined,
  neighbours: readonly string[] | "all",
  paths: readonly Lookup[],
): Promise<Told | string> {
  const stdin = ipBatch(neighbours, paths);
  const result = await run("ip", IP_ARGS, { stdin, signal });
  if (!result.ok) return result.message;
  // BusyBox has an `ip` that knows no -j, and old ones of iproute2 get it wrong.
  const answer = parseIpBatch(result.stdout, paths);
  if (answer !== undefined) return answer;
  const parts = await readText(signal);
  return parts === undefined
    ? "ip gave nothing that is understood: install the one of iproute2"
    : { parts };
}

/** Asks in plain words, one process after the other. */
async function readText(
  signal: AbortSignal | undefined,
): Promise<Parts | undefined> {
  const ask = async (...args: string[]): Promise<string> => {
    const result = await run("ip", args, { signal });
    return result.ok ? result.stdout : "";
  };
  const each = async (...args: string[]) => ({
    IPv4: await ask("-o", "-4", ...args),
    IPv6: await ask("-o", "-6", ...args),
  });
  return parseIpText({
    links: await ask("-o", "link", "show"),
    addresses: await ask("-o", "addr", "show"),
    routes: await each("route", "show", "table", "all"),
    rules: await each("rule", "show"),
    effective: {
      IPv4: await ask("-o", "-4", "route", "get", PROBES.IPv4),
      IPv6: await ask("-o", "-6", "route", "get", PROBES.IPv6),
    },
  });
}

async function readRules6(
  signal: AbortSignal | undefined,
): Promise<RoutingRule[] | undefined> {
  const result = await run("ip", IP_RULE6_ARGS, { signal });
  return result.ok ? parseRules6(result.stdout) : undefined;
}

function blind(why: string): Reading {
  const snapshot = assemble({
    interfaces: fromDenoRows(denoRows(why)),
    links: false,
    sources: ["Deno.networkInterfaces"],
    problems: [
      `Routes, carrier and interfaces without address are not seen: ${why}`,
    ],
  });
  return { snapshot };
}

/** As `Promise.all`, but a process that still runs is waited for. */
async function both<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([a, b]);
  return [await a, await b];
}
