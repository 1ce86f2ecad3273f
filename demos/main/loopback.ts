/** Loopback addresses beside the first one, which some systems do not have. */

/** Whether this machine has that loopback address. */
export function canUse(hostname: string): boolean {
  try {
    Deno.listen({ hostname, port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}
