import { readLinux } from "./_linux_facts.ts";
import { planLinux } from "./_plan_linux.ts";
import { checkRequest } from "./_request.ts";
import { otherSystem } from "./_other_system.ts";
import { notReadYet } from "./inspect_firewall.ts";
import type { Plan, PlanOptions } from "./plan.ts";
import type { AccessRequest } from "./request.ts";

/**
 * Works out the commands that would let a connection in, and does none of
 * them. It only reads.
 *
 * The accept goes where the packet is dropped, in the language of whoever owns
 * that place: an accept anywhere else is overruled by the drop. It goes right
 * before the rule that drops, so that bans above it keep holding, or to the end
 * of a chain whose policy drops. The new ruleset is evaluated before the plan
 * is given out.
 *
 * ```ts
 * import { planAccess } from "@holdfast/firewall";
 * import { assert } from "@std/assert";
 *
 * const plan = await planAccess({ port: 8080, source: "10.0.0.0/8" });
 * if (plan.status === "ready") {
 *   for (const { argv, sentence } of plan.steps) {
 *     assert(argv.length > 0 && sentence !== "");
 *   }
 * }
 * ```
 *
 * @throws {RangeError | TypeError} When the request or the tag is wrong.
 * @throws {FirewallError} `firewall/bad-ruleset` when nft prints what is not
 * a ruleset.
 * @throws The reason of the signal, when it is aborted.
 */
export async function planAccess(
  request: AccessRequest,
  options: PlanOptions = {},
): Promise<Plan> {
  const other = otherSystem(options.system ?? Deno.build.os);
  if (other !== undefined) {
    const tag = checkTag(options.tag ?? "holdfast");
    return (await other.plan(request, tag, options)).plan;
  }
  const asked = checkRequest(request);
  const tag = checkTag(options.tag ?? "holdfast");
  options.signal?.throwIfAborted();
  const system = options.system ?? Deno.build.os;
  if (system !== "linux") {
    const why = notReadYet(system);
    return { status: "refused", why, outcome: { status: "unknown", why } };
  }
  return planLinux(await readLinux(options), asked, tag);
}

function checkTag(tag: string): string {
  if (
    typeof tag === "string" && /^[A-Za-z0-9._:][A-Za-z0-9._:-]{0,99}$/.test(tag)
  ) {
    return tag;
  }
  throw new TypeError(
    `Cannot plan: tag must be 1 to 100 of the characters A-Z a-z 0-9 . _ : - and not start with -: current value is ${
      JSON.stringify(tag)
    }`,
  );
}
