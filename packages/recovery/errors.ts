/**
 * What went wrong in this package:
 *
 * - `recovery/gave-up`: trying again cannot help, as {@linkcode classify} says
 *   of the `cause`.
 * - `recovery/open-circuit`: it failed too often of late to be called now.
 */
export type RecoveryErrorCode = "recovery/gave-up" | "recovery/open-circuit";

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
