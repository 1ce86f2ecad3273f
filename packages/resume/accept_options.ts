import type { StreamOptions } from "./_options.ts";
import type { Transport } from "./transport.ts";

/** Where a server's transports come from: a `Deno.Listener`, or anything like it. */
export interface TransportSource {
  /** The next transport. Rejects for good once the source is closed. */
  accept(): Promise<Transport>;
  /** Ends the source. */
  close(): void;
  /** The address it listens on, if it has one. */
  readonly addr?: Deno.Addr | undefined;
}

/** Limits of a server; what goes beyond is refused, and live sessions are not harmed. */
export interface ServerLimits {
  /**
   * How many sessions there may be, attached or not.
   *
   * @default {10_000}
   */
  readonly sessionsMax?: number | undefined;
  /**
   * How many handshakes may be under way.
   *
   * @default {256}
   */
  readonly handshakesMax?: number | undefined;
}

/** Options for {@linkcode acceptResumable}. */
export interface AcceptOptions extends StreamOptions {
  /** Closes the server when aborted. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long a session without a transport is kept, in milliseconds.
   *
   * @default {120_000}
   */
  readonly ttlMs?: number | undefined;
  /**
   * Finds the pre-shared key of a name that a client sent. With it, sessions
   * without a key that it knows are refused.
   */
  readonly presharedKey?:
    | ((
      keyId: Uint8Array<ArrayBuffer>,
    ) =>
      | Uint8Array<ArrayBuffer>
      | undefined
      | Promise<Uint8Array<ArrayBuffer> | undefined>)
    | undefined;
  /** See {@linkcode ServerLimits}. */
  readonly limits?: ServerLimits | undefined;
  /** Sessions of {@linkcode ResumeServer.suspend}, to go on with. */
  readonly restore?: Uint8Array | undefined;
}
