import type { DetachedSocket } from "./detached_socket.ts";

/**
 * What went wrong, for programs to match on. The README has the remedy of
 * each.
 *
 * - `handoff/not-supported`: this system, or this version of Deno, cannot pass
 *   a descriptor to another process.
 * - `handoff/spawn-failed`: the system could not start the program.
 * - `handoff/bad-inheritance`: `LISTEN_FDS` and its sisters do not describe
 *   listening sockets that this process has.
 * - `handoff/wrong-phase`: the call makes no sense in the upgrader's state.
 * - `handoff/not-prepared`: the successor failed before `state()` was called:
 *   nothing was frozen.
 * - `handoff/freeze-failed`: `state()` threw or took too long.
 * - `handoff/transfer-failed`: the successor failed while the state was sent.
 * - `handoff/not-ready`: the successor has the state and never became ready.
 * - `handoff/bad-bytes`: the other process does not speak this protocol, or
 *   another version of it.
 * - `handoff/digest-mismatch`: the state that arrived is not the one sent.
 * - `handoff/state-too-large`: the state is past the limit.
 * - `handoff/predecessor-gone`: the predecessor ended before it gave its state.
 * - `handoff/probe-failed`: the successor was ready, and its health probe
 *   failed.
 * - `handoff/too-many-generations`: predecessors still finish their work.
 * - `handoff/refused`: the receiver did not want the socket.
 * - `handoff/not-trusted`: the peer is another user, or its token is not the
 *   right one.
 * - `handoff/surprise`: what arrived is not what was announced, or not wanted.
 * - `handoff/quota`: a peer sent more than it may.
 * - `handoff/timed-out`: the peer did not answer in time.
 * - `handoff/peer-gone`: the peer ended, or nobody listens at the path.
 * - `handoff/insecure-path`: others may reach the socket's path.
 */
export type HandoffErrorCode =
  | "handoff/not-supported"
  | "handoff/spawn-failed"
  | "handoff/bad-inheritance"
  | "handoff/wrong-phase"
  | "handoff/not-prepared"
  | "handoff/freeze-failed"
  | "handoff/transfer-failed"
  | "handoff/not-ready"
  | "handoff/bad-bytes"
  | "handoff/digest-mismatch"
  | "handoff/state-too-large"
  | "handoff/predecessor-gone"
  | "handoff/probe-failed"
  | "handoff/too-many-generations"
  | "handoff/refused"
  | "handoff/not-trusted"
  | "handoff/surprise"
  | "handoff/quota"
  | "handoff/timed-out"
  | "handoff/peer-gone"
  | "handoff/insecure-path";

/** Options for {@linkcode HandoffError}. */
export interface HandoffErrorOptions extends ErrorOptions {
  /**
   * Whether `state()` had been called.
   *
   * @default {false}
   */
  readonly frozen?: boolean | undefined;
  /** The sockets that could not be sent. */
  readonly sockets?: readonly DetachedSocket[] | undefined;
  /**
   * Whether the other process may have got them all the same.
   *
   * @default {false}
   */
  readonly uncertain?: boolean | undefined;
}

/**
 * A hand-over that failed. Match `code`, not the class: two versions of the
 * package in one program break `instanceof`.
 */
export class HandoffError extends Error {
  /** What went wrong. */
  readonly code: HandoffErrorCode;
  /**
   * Whether `state()` had been called when an upgrade failed, so that the
   * program has to thaw what it froze.
   */
  readonly frozen: boolean;
  /**
   * The sockets that could not be sent, still open and this process's: send
   * them again, adopt them, or close them.
   */
  readonly sockets: readonly DetachedSocket[];
  /**
   * Whether the other process may have got them all the same: it read them, did
   * not answer, and took no notice of the cancellation.
   */
  readonly uncertain: boolean;

  /** Makes an error; `message` says action, state and remedy. */
  constructor(
    code: HandoffErrorCode,
    message: string,
    options: HandoffErrorOptions = {},
  ) {
    super(message, options);
    this.name = "HandoffError";
    this.code = code;
    this.frozen = options.frozen ?? false;
    this.sockets = options.sockets ?? [];
    this.uncertain = options.uncertain ?? false;
  }
}
