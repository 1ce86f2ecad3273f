/**
 * The errors of `Deno.TcpConn`, its addresses as text, and its timers; also
 * where there is no `Deno`, such as in browsers.
 */

import type { Transport } from "./transport.ts";

type ErrorName =
  | "BadResource"
  | "BrokenPipe"
  | "ConnectionReset"
  | "Interrupted";

export function addressText(
  address: Deno.Addr | undefined,
): string | undefined {
  if (address === undefined) return undefined;
  if ("hostname" in address) {
    return address.hostname.includes(":")
      ? `[${address.hostname}]:${address.port}`
      : `${address.hostname}:${address.port}`;
  }
  return "path" in address ? address.path : address.transport;
}

// Elsewhere than in Deno there is no class for it; the name tells it all the same.
function systemError(name: ErrorName, message: string): Error {
  if (typeof Deno !== "undefined") return new Deno.errors[name](message);
  const error = new Error(message);
  error.name = name;
  return error;
}

export function badResource(): Error {
  return systemError("BadResource", "Bad resource ID");
}

export function brokenPipe(): Error {
  return systemError("BrokenPipe", "Broken pipe (os error 32)");
}

export function connectionReset(message: string): Error {
  return systemError("ConnectionReset", message);
}

export function interrupted(): Error {
  return systemError("Interrupted", "operation canceled");
}

/**
 * Turns off Nagle's algorithm (RFC 896) where a transport has it. A stream
 * gathers small writes by itself, and what it sends alone is what the peer
 * waits for: an acknowledgement, or the end of a burst. Held back for a delayed
 * acknowledgement of TCP, each of them would take 40 ms on Linux.
 */
export function sendAtOnce(
  transport: Pick<Transport, "read" | "write" | "close">,
): void {
  try {
    (transport as Partial<Deno.TcpConn>).setNoDelay?.(true);
  } catch {
    // It is closed already: the next read or write will say so.
  }
}

/** What an error says, whatever was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What it says at the root: of a deadline, what the last try failed with. */
export function reasonOf(error: unknown): string {
  const { cause } = error as Error;
  return errorText(cause instanceof Error ? cause : error);
}

/** Whether an error says that a listener, or another resource, was closed. */
export function isClosedError(error: unknown): boolean {
  return error instanceof Error &&
    (error.name === "BadResource" || error.name === "Interrupted");
}

/** Whether a timer keeps the program running; does nothing in browsers. */
export function setTimerReferenced(
  timer: ReturnType<typeof setTimeout>,
  referenced: boolean,
): void {
  if (typeof Deno === "undefined") return;
  const id = timer as unknown as number;
  if (referenced) Deno.refTimer(id);
  else Deno.unrefTimer(id);
}
