/** At which addresses others may reach a listener. */
import type { Candidate } from "./_meeting.ts";

/** The least that is needed of `Deno.networkInterfaces()`. */
export type InterfaceRow = Pick<
  Deno.NetworkInterfaceInfo,
  "address" | "family"
>;

const EVERYWHERE: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/**
 * The addresses of a listener: its own, or, where it listens on all, those of
 * the interfaces, without loopback and those that hold on one link only.
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
      hostname === "::" || family === "IPv4" ? !isLocal(address) : false
    )
    .map(({ address }) => ({ hostname: address, port }));
}

function isLocal(address: string): boolean {
  return address === "::1" || address.startsWith("127.") ||
    address.startsWith("169.254.") || /^fe[89ab]/i.test(address);
}
