/** Why a session that its peer ended, refused or broke, is over. */
import { resetReason } from "./_notice.ts";
import { REFUSAL } from "./_records.ts";
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

/** The code and the words for a resumption that was refused for good. */
export function whyRefused(
  refusal: number,
): [code: ResumeErrorCode, message: string] {
  switch (refusal) {
    case REFUSAL.denied:
      return ["resume/denied", "the server does not allow it any more"];
    case REFUSAL.version:
      return ["resume/version", "the server speaks another version now"];
    default:
      return [
        "resume/refused",
        "the server does not know it: it restarted without its sessions, or the time to live is over",
      ];
  }
}
