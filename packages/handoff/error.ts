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
  | "handoff/predecessor-gone";

/** Options for {@linkcode HandoffError}. */
export interface HandoffErrorOptions extends ErrorOptions {
  /**
   * Whether `state()` had been called.
   *
   * @default {false}
   */
  readonly frozen?: boolean | undefined;
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
  }
}
