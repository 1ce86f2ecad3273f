import { judge } from "./_judge.ts";
import { readLinux } from "./_linux_facts.ts";
import { checkRequest } from "./_request.ts";
import { otherSystem } from "./_other_system.ts";
import { notReadYet } from "./inspect_firewall.ts";
import type { Outcome } from "./outcome.ts";
import type { AccessRequest } from "./request.ts";
import type { AskOptions } from "./runner.ts";

/**
 * Whether the firewall of this machine would let a connection from outside in.
 * It only reads.
 *
 * `open` and `blocked-by` are said only where every rule on the way was
 * understood: of the first packet, of the following ones, and of the answers.
 * Whatever else there is makes it `unknown`, with the reason. It assumes that
 * the reverse path is valid and that no connection is invalid.
 *
 * ```ts
 * import { checkAccess } from "@holdfast/firewall";
 * import { assert } from "@std/assert";
 *
 * const outcome = await checkAccess({ port: 8080 });
 * switch (outcome.status) {
 *   case "blocked-by":
 *     assert(outcome.chain !== "");
 *     break;
 *   default:
 *     assert(outcome.why !== "");
 * }
 * ```
 *
 * @throws {RangeError | TypeError} When the request is wrong.
 * @throws {FirewallError} `firewall/bad-ruleset` when nft prints what is not
 * a ruleset.
 * @throws The reason of the signal, when it is aborted.
 */
export async function checkAccess(
  request: AccessRequest,
  options: AskOptions = {},
): Promise<Outcome> {
  const other = otherSystem(options.system ?? Deno.build.os);
  if (other !== undefined) return await other.check(request, options);
  const asked = checkRequest(request);
  options.signal?.throwIfAborted();
  const system = options.system ?? Deno.build.os;
  if (system !== "linux") {
    return { status: "unknown", why: notReadYet(system) };
  }
  return judge(await readLinux(options, asked), asked);
}
