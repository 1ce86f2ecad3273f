/**
 * What went wrong, for programs.
 *
 * - `netwatch/not-permitted`: Deno was not allowed to look at the network.
 * - `netwatch/unreadable`: nothing on this system could be asked.
 */
export type NetwatchErrorCode =
  | "netwatch/not-permitted"
  | "netwatch/unreadable";

/** The error class of this package; tell errors apart by `code`. */
export class NetwatchError extends Error {
  /** What went wrong. */
  readonly code: NetwatchErrorCode;

  /** Makes an error; the lower one goes into `options.cause`. */
  constructor(
    code: NetwatchErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = "NetwatchError";
    this.code = code;
  }
}
