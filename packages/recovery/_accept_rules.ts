/** When to accept again after a failure. */
const PAUSE_FIRST_MS = 5;
const PAUSE_MAX_MS = 40;

/**
 * How long to wait after so many failures in a row, in milliseconds: short at
 * first, since an aborted connection is over already, and at most so long that
 * clients hardly notice once there is room again.
 */
export function nextPauseMs(failures: number): number {
  return Math.min(
    PAUSE_MAX_MS,
    PAUSE_FIRST_MS * 2 ** Math.min(10, failures - 1),
  );
}

/** Whether the listener itself was closed: then no accept succeeds any more. */
export function isClosedByUs(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // Deno says EINTR of an accept that its own `close()` cancelled.
  return error.name === "BadResource" || error.name === "Interrupted" ||
    /operation cancell?ed|bad resource id/i.test(error.message);
}
