import type {
  AcceptOptions,
  ResumableConn,
  TransportSource,
} from "@holdfast/resume";
import type { OpenPort } from "./peer_options.ts";

/** What a handler is told beside its connection. */
export interface ServeContext {
  /**
   * What the process before this one kept for the connection; `undefined` for a
   * new one, and where it kept nothing.
   */
  readonly kept: Uint8Array<ArrayBuffer> | undefined;
  /**
   * Says what the next process shall be given for this connection. It is asked
   * when this one's handler has ended, since its reads and writes reject with
   * `resume/suspended`; not in the case of a crash, for which there is a store.
   */
  keep(state: () => Uint8Array<ArrayBuffer>): void;
}

/**
 * Serves one connection. When it ends the connection is closed; when it throws
 * the connection is aborted, and `handler-failed` says why.
 */
export type ServeHandler = (
  conn: ResumableConn,
  context: ServeContext,
) => void | Promise<void>;

/** How the next process is started. */
export interface UpgradeCommand {
  /**
   * The program.
   *
   * @default {Deno.execPath()}
   */
  readonly command?: string | undefined;
  /**
   * Its arguments.
   *
   * @default {those of this process, where the system tells: on Linux, with `--allow-run=cat`}
   */
  readonly args?: readonly string[] | undefined;
  /**
   * A signal of the system at which this process is replaced, such as `SIGHUP`.
   *
   * @default {none: call `upgrade()`}
   */
  readonly on?: Deno.Signal | undefined;
  /**
   * How long the whole may take, in milliseconds.
   *
   * @default {60_000}
   */
  readonly timeoutMs?: number | undefined;
}

/** Options for `serve`. */
export interface ServeOptions extends
  Pick<
    AcceptOptions,
    | "authorize"
    | "commits"
    | "handshakeTimeoutMs"
    | "heartbeatMs"
    | "limits"
    | "onListenerError"
    | "presharedKey"
    | "receiveWindowBytes"
    | "sendBufferBytes"
    | "signal"
    | "store"
    | "ttlMs"
  > {
  /**
   * The address to listen on; `0.0.0.0` or `::` for all.
   *
   * @default {"127.0.0.1"}
   */
  readonly hostname?: string | undefined;
  /**
   * The port; 0 for any.
   *
   * @default {0}
   */
  readonly port?: number | undefined;
  /**
   * Where connections come from, instead of `hostname` and `port`: what
   * `Deno.listen` gives, or the WebSockets of a `Deno.serve`.
   */
  readonly listener?: TransportSource | undefined;
  /**
   * Makes this a process that can be replaced by the next version of itself,
   * with its listener and its streams, and no client notices. Not with
   * `listener`, which cannot be passed on.
   *
   * @default {false}
   */
  readonly upgrade?: boolean | UpgradeCommand | undefined;
  /**
   * Opens the port in this machine's firewall for as long as the server runs.
   * To give it is the consent; when it fails, `state.limited` says why.
   */
  readonly openPort?: OpenPort | undefined;
}
