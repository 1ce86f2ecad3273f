/**
 * What went wrong in this package:
 *
 * - `firewall/bad-ruleset`: a tool printed a ruleset that cannot be read.
 * - `firewall/no-consent`: nobody said that the plan may be applied.
 * - `firewall/no-rights`: it needs the rights of root, and there is no way to
 *   get them.
 * - `firewall/rights-refused`: the user, or a policy, refused the rights.
 * - `firewall/plan-stale`: the firewall has changed since the plan was made.
 * - `firewall/step-failed`: a tool refused a step; nothing is left of it.
 * - `firewall/not-opened`: the tools reported success, and reading back showed
 *   otherwise; it was taken back.
 * - `firewall/not-reverted`: rules of ours are still there.
 * - `firewall/no-ledger`: it cannot be written down what is done.
 */
export type FirewallErrorCode =
  | "firewall/bad-ruleset"
  | "firewall/no-consent"
  | "firewall/no-rights"
  | "firewall/rights-refused"
  | "firewall/plan-stale"
  | "firewall/step-failed"
  | "firewall/not-opened"
  | "firewall/not-reverted"
  | "firewall/no-ledger";

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
