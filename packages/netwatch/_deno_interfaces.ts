import { NetwatchError } from "./errors.ts";
import { familyOf, scopeOf, withoutZone } from "./_address.ts";
import type { InterfaceAddress, NetworkInterface } from "./snapshot.ts";

/** The part of a row of `Deno.networkInterfaces()` that is used. */
export interface DenoRow {
  readonly name: string;
  readonly address: string;
  readonly cidr: string;
  readonly scopeid: number | null;
}

/**
 * Interfaces as far as `Deno.networkInterfaces()` tells: those with addresses,
 * without up, carrier and index. A tentative address looks like a good one.
 */
export function fromDenoRows(rows: readonly DenoRow[]): NetworkInterface[] {
  const byName = Map.groupBy(rows, ({ name }) => name);
  return [...byName].map(([name, own]) => ({
    name,
    addresses: own.flatMap(toAddress),
  }));
}

function toAddress({ address, cidr }: DenoRow): InterfaceAddress[] {
  const plain = withoutZone(address);
  const family = familyOf(plain);
  if (family === undefined) return [];
  const prefix = Number(cidr.slice(cidr.lastIndexOf("/") + 1));
  return [{
    family,
    address: plain,
    prefix: Number.isInteger(prefix) ? prefix : family === "IPv4" ? 32 : 128,
    scope: scopeOf(plain),
    tentative: false,
    deprecated: false,
    temporary: false,
  }];
}

/** A text that differs when anything that the rows tell differs. */
export function fingerprint(rows: readonly DenoRow[]): string {
  return rows.map(({ name, cidr, scopeid }) => `${name} ${cidr} ${scopeid}`)
    .sort().join("\n");
}

/** The rows of `Deno.networkInterfaces()`; it costs 0.05 ms. */
export function denoRows(earlier?: unknown): readonly DenoRow[] {
  try {
    return Deno.networkInterfaces();
  } catch (error) {
    const refused = error instanceof Deno.errors.NotCapable;
    throw new NetwatchError(
      refused ? "netwatch/not-permitted" : "netwatch/unreadable",
      refused
        ? "Cannot read the network: Deno may not look: run with --allow-sys=networkInterfaces and --allow-run=ip (netstat on macOS and BSD, route on Windows)"
        : `Cannot read the network: Deno.networkInterfaces() failed: ${
          error instanceof Error ? error.message : String(error)
        }`,
      { cause: earlier ?? error },
    );
  }
}
