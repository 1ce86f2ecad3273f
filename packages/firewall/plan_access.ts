import { readLinux } from "./_linux_facts.ts";
import { markOf } from "./_mark.ts";
import { planLinux } from "./_plan_linux.ts";
import { checkRequest } from "./_request.ts";
import { otherSystem } from "./_other_system.ts";
import { runLocal } from "./_run_local.ts";
import { rehearse } from "./_twin.ts";
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
    const { plan } = await other.plan(request, tag, options);
    return plan.status === "ready" ? { ...plan, request } : plan;
  }
  const asked = checkRequest(request);
  const tag = checkTag(options.tag ?? "holdfast");
  options.signal?.throwIfAborted();
  const system = options.system ?? Deno.build.os;
  if (system !== "linux") {
    const why = notReadYet(system);
    return { status: "refused", why, outcome: { status: "unknown", why } };
  }
  const leaseSeconds = checkLease(options.leaseSeconds);
  const id = newId();
  const facts = await readLinux(options, asked);
  const terms = {
    ...{ tag, id, leaseSeconds, mark: markOf(tag, id) },
    now: Date.now() / 1000,
    overrideDeny: options.overrideDeny ?? false,
  };
  const plan = planLinux(facts, asked, terms);
  if (plan.status !== "ready") return plan;
  if (options.rehearse !== true) return { ...plan, request };
  const run = options.run ?? runLocal;
  const rehearsal = await rehearse(plan, facts, asked, terms, run);
  return rehearsal.status === "failed"
    ? {
      status: "refused",
      why: `Its rehearsal failed: ${rehearsal.why}`,
      outcome: plan.before,
    }
    : { ...plan, request, rehearsal };
}

/** Eight letters and digits that no other lease has. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => (byte % 36).toString(36)).join("");
}

/** A year: past that it is no lease. */
const LEASE_SECONDS_MAX = 31_536_000;

/** Checks a time; less than 10 s could be over before it is renewed. */
export function checkLease(seconds: number | undefined): number | undefined {
  if (seconds === undefined) return undefined;
  if (
    Number.isInteger(seconds) && seconds >= 10 && seconds <= LEASE_SECONDS_MAX
  ) return seconds;
  throw new RangeError(
    `Cannot plan: leaseSeconds must be an integer from 10 to ${LEASE_SECONDS_MAX}: current value is ${
      String(seconds)
    }`,
  );
}

/** Checks a tag; fails with a sentence that names the value. */
export function checkTag(tag: string): string {
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
