/** Why a session that its peer ended, or broke, is over. */
import { resetReason } from "./_notice.ts";
import { RESET } from "./_wire.ts";
import type { ResumeErrorCode } from "./errors.ts";

/**
 * The code and the words for it.
 *
 * @param reset What a RESET frame said, if one came.
 */
export function whyFailed(
  error: unknown,
  reset: number | undefined,
): [code: ResumeErrorCode, message: string] {
  if (reset !== undefined) {
    const code = reset === RESET.denied ? "resume/denied" : "resume/reset";
    return [code, `the session was reset: ${resetReason(reset)}`];
  }
  const message = error instanceof Error ? error.message : String(error);
  return ["resume/protocol", `the peer broke the protocol: ${message}`];
}
