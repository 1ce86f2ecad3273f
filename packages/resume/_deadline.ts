/** Gives a transport so long, and no longer. */
import { closeQuietly } from "./_pipe.ts";
import type { Transport } from "./transport.ts";

/**
 * Runs a handshake; closes the transport when it fails, takes longer than
 * `ms`, or `signal` aborts. Closing is what makes a pending read give up. Once
 * `run` has called `handOver` the transport is somebody else's, and is let be.
 */
export async function withDeadline<T>(
  transport: Transport,
  ms: number,
  signal: AbortSignal,
  run: (handOver: () => void) => Promise<T>,
): Promise<T> {
  let stopped: unknown;
  let handedOver = false;
  const stop = (reason: unknown): void => {
    if (handedOver) return;
    stopped ??= reason;
    closeQuietly(transport);
  };
  const onAbort = (): void => stop(signal.reason);
  const timer = setTimeout(
    () =>
      stop(
        new DOMException(
          `The handshake took longer than ${ms} ms`,
          "TimeoutError",
        ),
      ),
    ms,
  );
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    const result = await run(() => {
      if (stopped !== undefined) throw stopped;
      handedOver = true;
    });
    // It may have been stopped just when it was done: then nobody owns it.
    if (stopped !== undefined) throw stopped;
    return result;
  } catch (error) {
    if (!handedOver) closeQuietly(transport);
    throw stopped ?? error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
