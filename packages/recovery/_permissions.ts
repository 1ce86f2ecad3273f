/**
 * What this program may do without asking anybody: a question on the terminal
 * would hold up what a deadline is meant to end.
 */
import { isIPv6 } from "node:net";

/** Whether a connection or a datagram may go there. */
export function mayReach(hostname: string, port: number): boolean {
  const host = hostname.includes(":")
    ? `[${hostname}]:${port}`
    : `${hostname}:${port}`;
  return Deno.permissions.querySync({ name: "net", host }).state === "granted";
}

/**
 * Whether a socket for datagrams to this address may be opened. It is bound to
 * any own address, which takes a permission of its own, and node:dgram in Deno
 * 2.9.6 throws where nobody can catch it when that is missing.
 */
export function mayBindFor(address: string): boolean {
  return mayReach(isIPv6(address.replace(/%.*$/, "")) ? "::" : "0.0.0.0", 0);
}
