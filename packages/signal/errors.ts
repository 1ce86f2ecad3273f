/**
 * What can go wrong in signalling, for `switch`:
 *
 * - `"signal/bad-frame"`: bytes that are no Holdfast frame.
 * - `"signal/closed"`: this end was closed first.
 * - `"signal/handler-failed"`: the peer's handler threw.
 * - `"signal/no-broker"`: no broker could be reached in time.
 * - `"signal/no-handler"`: the peer answers no requests.
 * - `"signal/outbox-full"`: too many messages wait for their acknowledgement.
 * - `"signal/unacknowledged"`: published, and the peer did not acknowledge.
 * - `"signal/unanswered"`: the peer got the request and did not answer in time.
 */
export type SignalErrorCode =
  | "signal/bad-frame"
  | "signal/closed"
  | "signal/handler-failed"
  | "signal/no-broker"
  | "signal/no-handler"
  | "signal/outbox-full"
  | "signal/unacknowledged"
  | "signal/unanswered";

/**
 * A failure of signalling. Match `code` rather than the class: two versions of
 * the package in one program have two classes.
 */
export class SignalError extends Error {
  /** Which failure it is. */
  readonly code: SignalErrorCode;

  /** Makes the error; `message` says what to do about it. */
  constructor(code: SignalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SignalError";
    this.code = code;
  }
}
