/**
 * Why a resumable connection or a resume server failed.
 *
 * - `resume/refused`: the server does not know the session, or the proof failed.
 * - `resume/busy`: the server has as many sessions or handshakes as it allows.
 * - `resume/buffer-full`: a write found the send buffer full without a transport.
 * - `resume/denied`: the server does not let this client open or go on.
 * - `resume/version`: no protocol version in common.
 * - `resume/handshake`: the first transport never got through a handshake.
 * - `resume/lost`: no transport came back within the time to live.
 * - `resume/gone`: the peer ended the session before it had received everything.
 * - `resume/reset`: the peer reset the session.
 * - `resume/protocol`: the peer sent what the protocol does not allow.
 * - `resume/store`: the store of sessions cannot be used.
 * - `resume/taken-over`: the session goes on at another server.
 * - `resume/suspended`: the session was suspended, to go on in another process.
 * - `resume/snapshot`: the bytes are no snapshot of sessions, or a newer one.
 * - `resume/server-closed`: the server was closed.
 * - `resume/target-denied`: the server of a tunnel does not allow that target.
 * - `resume/target-down`: the server of a tunnel cannot reach the target.
 */
export type ResumeErrorCode =
  | "resume/buffer-full"
  | "resume/busy"
  | "resume/denied"
  | "resume/gone"
  | "resume/handshake"
  | "resume/lost"
  | "resume/protocol"
  | "resume/refused"
  | "resume/reset"
  | "resume/server-closed"
  | "resume/snapshot"
  | "resume/store"
  | "resume/suspended"
  | "resume/taken-over"
  | "resume/target-denied"
  | "resume/target-down"
  | "resume/version";

/** Options for {@linkcode ResumeError}. */
export interface ResumeErrorOptions extends ErrorOptions {
  /** See {@linkcode ResumeError.lastAckedOffset}. */
  readonly lastAckedOffset?: number | undefined;
}

/** The error of this package; match its `code`, not its class. */
export class ResumeError extends Error {
  /** What failed. */
  readonly code: ResumeErrorCode;
  /**
   * How many bytes the peer certainly received, where a stream ended early.
   * It may have received more; it never received less.
   */
  readonly lastAckedOffset: number | undefined;

  /** Makes an error with a code. */
  constructor(
    code: ResumeErrorCode,
    message: string,
    options: ResumeErrorOptions = {},
  ) {
    super(message, options);
    this.name = "ResumeError";
    this.code = code;
    this.lastAckedOffset = options.lastAckedOffset;
  }
}
