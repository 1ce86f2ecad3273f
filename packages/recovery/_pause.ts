/** The longest time that a timer can hold, about 24 days: past it, it fires at once. */
export const TIMER_MAX_MS: number = 2 ** 31 - 1;

/**
 * Waits so many milliseconds, at most as long as a timer can, or until the signal
 * is aborted; never rejects.
 */
export function pauseUntil(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, Math.min(TIMER_MAX_MS, ms));
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
  });
}
