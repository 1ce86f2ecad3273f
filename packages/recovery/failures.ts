import { LINK_FAILURES } from "./_failures_link.ts";
import { NAME_FAILURES } from "./_failures_names.ts";
import { SYSTEM_FAILURES } from "./_failures_system.ts";
import { TCP_FAILURES } from "./_failures_tcp.ts";
import type { Failure } from "./failure.ts";

/**
 * The catalogue of failures, in the order of the alphabet: what each looks like
 * in Deno, why it happens, how to tell it, and what prevents it. Every entry is
 * brought about for real by a test that shows plain Deno fail and the prevention
 * work.
 *
 * ```ts
 * import { classify, failures } from "@holdfast/recovery";
 * import { assertEquals, assertStringIncludes } from "@std/assert";
 *
 * const { failure } = classify({ code: "ECONNREFUSED" });
 * const entry = failures.find(({ id }) => id === failure);
 * assertEquals(entry?.layer, "tcp");
 * assertStringIncludes(entry?.prevent ?? "", "jitter");
 * ```
 */
export const failures: readonly Failure[] = Object.freeze(
  [
    ...LINK_FAILURES,
    ...TCP_FAILURES,
    ...NAME_FAILURES,
    ...SYSTEM_FAILURES,
  ].map((failure) => Object.freeze(failure))
    .sort((a, b) => a.id < b.id ? -1 : 1),
);
