/**
 * For tests of programs that use resumable streams.
 *
 * @module
 */
import { SKIP_REPLAY } from "./_options.ts";

/**
 * The same options, with replay switched off: a cut then loses what was on its
 * way. A test of "nothing is lost" that still passes with it proves nothing.
 *
 * ```ts
 * import { withoutReplay } from "@holdfast/resume/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const options = withoutReplay({ heartbeatMs: 500 });
 * assertEquals(options.heartbeatMs, 500);
 * ```
 */
export function withoutReplay<O extends object>(options: O): O {
  return { ...options, [SKIP_REPLAY]: true };
}
