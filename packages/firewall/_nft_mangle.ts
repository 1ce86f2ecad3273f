import type { Flow } from "./_nft_flow.ts";
import { isRecord } from "./_nft_ruleset.ts";
import { bitsOf, type Context, NO_BITS, UNTRACKED } from "./_nft_value.ts";

/**
 * What a statement makes of the marks. `breaks`: the rule ends here, for the
 * value is one of a connection that there is not; `changes`: it is not a mark
 * that is changed, and what becomes of the packet is not followed.
 */
export function mangle(
  body: unknown,
  flow: Flow,
  context: Context,
): Flow | "breaks" | "changes" {
  const { key, value } = isRecord(body) ? body : {};
  const bits = bitsOf(value, context);
  if (bits === "absent") return "breaks";
  const known = bits ?? NO_BITS;
  if (isRecord(key) && isRecord(key.meta)) {
    return key.meta.key === "mark" ? { ...flow, mark: known } : flow;
  }
  if (!isRecord(key) || !isRecord(key.ct)) return "changes";
  const { state } = context;
  // Before it is looked up there is no connection that could be marked.
  if (key.ct.key !== "mark" || state === UNTRACKED) return flow;
  return { ...flow, connectionMark: state === undefined ? NO_BITS : known };
}
