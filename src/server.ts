import type { Events } from "@holdfast/events";
import type { ResumableConn } from "@holdfast/resume";
import type { Limitation } from "./peer_events.ts";
import type { ServerEvent } from "./server_events.ts";

/** What a server has done since it was started. */
export interface ServerStats {
  /** Connections that handlers work on. */
  readonly open: number;
  /** Connections that were new. */
  readonly accepted: number;
  /** Connections that another process had before. */
  readonly restored: number;
  /** Handlers that threw. */
  readonly failed: number;
}

/** A running server of streams that last; see `serve`. */
export interface Server extends Events<ServerEvent>, AsyncDisposable {
  /** Where it listens, if it does. */
  readonly addr: Deno.Addr | undefined;
  /** Resolves once it is closed, or replaced. Never rejects. */
  readonly finished: Promise<void>;
  /** How it stands now; a new object each time. */
  readonly state: {
    /** The connections that handlers work on. */
    readonly connections: readonly ResumableConn[];
    /** What its parts cannot do, and why; empty when they can do all. */
    readonly limited: readonly Limitation[];
  };
  /** Counters since the start; a new object each time. */
  stats(): ServerStats;
  /**
   * Replaces this process by the next version of itself: it gets the listener,
   * every stream, and what the handlers keep. Resolves when it serves; then
   * this server is finished. Whatever goes wrong before, this one serves on.
   *
   * @throws {PeerError} `peer/no-upgrade` without the option `upgrade`.
   * @throws {HandoffError} When the next process failed.
   */
  upgrade(): Promise<void>;
  /**
   * Tells every client that this server goes away, lets handlers finish, and
   * closes. Those that take longer than `withinMs`, 5000 by default, are cut
   * off.
   */
  drain(withinMs?: number): Promise<void>;
  /** Ends every stream and stops listening. */
  close(): Promise<void>;
}
