/**
 * Why a peer could not do what it was asked.
 *
 * - `peer/bad-answer`: the other peer answered what this version does not know.
 * - `peer/closed`: this peer was closed, or suspended.
 * - `peer/no-brokers`: this peer was opened without brokers.
 * - `peer/no-upgrade`: the server was not made to be replaced.
 * - `peer/not-listening`: the other peer takes no connections.
 * - `peer/refused`: the other peer does not want this one.
 * - `peer/snapshot`: `restore` got other bytes than `suspend` gave.
 */
export type PeerErrorCode =
  | "peer/bad-answer"
  | "peer/closed"
  | "peer/no-brokers"
  | "peer/no-upgrade"
  | "peer/not-listening"
  | "peer/refused"
  | "peer/snapshot";

/** The error of the composition; match its `code`, not its class. */
export class PeerError extends Error {
  /** What failed. */
  readonly code: PeerErrorCode;

  /** Makes an error with a code. */
  constructor(code: PeerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PeerError";
    this.code = code;
  }
}
