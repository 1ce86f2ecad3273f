/**
 * What went wrong in this package:
 *
 * - `recovery/gave-up`: trying again cannot help, as {@linkcode classify} says
 *   of the `cause`.
 * - `recovery/open-circuit`: it failed too often of late to be called now.
 * - `recovery/write-stalled`: the other side takes nothing more.
 * - `recovery/peer-ended`: the other side has said that it sends no more.
 * - `recovery/no-such-name`, `recovery/no-address`, `recovery/resolver-failed`,
 *   `recovery/resolver-refused`, `recovery/resolver-silent`,
 *   `recovery/sinkholed`, `recovery/no-resolver`: a name has no address, see
 *   {@linkcode resolve}.
 */
export type RecoveryErrorCode =
  | "recovery/gave-up"
  | "recovery/no-address"
  | "recovery/no-resolver"
  | "recovery/no-such-name"
  | "recovery/open-circuit"
  | "recovery/peer-ended"
  | "recovery/resolver-failed"
  | "recovery/resolver-refused"
  | "recovery/resolver-silent"
  | "recovery/sinkholed"
  | "recovery/write-stalled";

/**
 * A failure of this package. Match its `code`: two copies of a package in one
 * program make `instanceof` fail.
 */
export class RecoveryError extends Error {
  /** Which failure it is. */
  readonly code: RecoveryErrorCode;

  /** Makes an error with its code, a sentence, and the error below it. */
  constructor(
    code: RecoveryErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "RecoveryError";
    this.code = code;
  }
}
