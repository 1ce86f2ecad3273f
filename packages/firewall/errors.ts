/**
 * What went wrong in this package:
 *
 * - `firewall/bad-ruleset`: a tool printed a ruleset that cannot be read.
 */
export type FirewallErrorCode = "firewall/bad-ruleset";

/**
 * A failure of this package. Match its `code`: two copies of a package in one
 * program make `instanceof` fail.
 */
export class FirewallError extends Error {
  /** Which failure it is. */
  readonly code: FirewallErrorCode;

  /** Makes an error with its code, a sentence, and the error below it. */
  constructor(
    code: FirewallErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "FirewallError";
    this.code = code;
  }
}
