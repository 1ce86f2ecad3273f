import type { TunnelAddress } from "./_tunnel_address.ts";
import type { AcceptOptions } from "./accept_options.ts";
import type { ConnectOptions } from "./connect_options.ts";

/** A connection to a program: a `Deno.Conn`, or what is like it. */
export interface LocalConn {
  /** As `Deno.Conn.read`. */
  read(into: Uint8Array): Promise<number | null>;
  /** As `Deno.Conn.write`. */
  write(bytes: Uint8Array): Promise<number>;
  /** As `Deno.Conn.closeWrite`. */
  closeWrite(): Promise<void>;
  /** As `Deno.Conn.close`. */
  close(): void;
  /** Ends it so that the program hears of a failure; `close` if it is absent. */
  reset?(): void;
  /** Where the program is, if that is known. */
  readonly remoteAddr?: Deno.Addr | undefined;
}

/** Where a tunnel's client gets the connections of programs. */
export interface LocalSource {
  /** The next connection. Rejects for good once it is closed. */
  accept(): Promise<LocalConn>;
  /** Ends it. */
  close(): void;
  /** Where it listens. */
  readonly addr?: Deno.Addr | undefined;
  /** Stops accepting without closing; resolves when nothing more is accepted. */
  pause?(): Promise<void>;
  /** Ends `pause`. */
  resume?(): void;
}

/** What a tunnel's end gets of the process that had it before. */
export interface TunnelPredecessor {
  /** What its `suspend` gave. */
  readonly state: Uint8Array;
  /** The connections that its `pause` named, in their order, as they came over. */
  readonly connections: readonly LocalConn[];
}

/** For this package: whether targets can be passed to another process. */
export const HOLDS_TARGETS: unique symbol = Symbol("holds targets");

/** Options for {@linkcode serveTunnel}. */
export interface ServeTunnelOptions {
  /**
   * Where connections may lead, and nowhere else. The first is meant where a
   * client names none; others are named by their text, such as `"127.0.0.1:22"`.
   */
  readonly targets: readonly TunnelAddress[];
  /** Keys, limits, time to live: as {@linkcode acceptResumable} has them. */
  readonly accept?: AcceptOptions | undefined;
  /**
   * How long reaching a target may take, in milliseconds; one that refuses is
   * tried again until then.
   *
   * @default {3_000}
   */
  readonly targetDeadlineMs?: number | undefined;
  /** Goes on with the connections of another process. */
  readonly predecessor?: TunnelPredecessor | undefined;
}

/** Options for {@linkcode connectTunnel}. */
export interface ConnectTunnelOptions {
  /**
   * Where the server shall connect to, of what it allows.
   *
   * @default {the first of the server's targets}
   */
  readonly target?: TunnelAddress | undefined;
  /**
   * How long a program waits for its session while the server cannot be
   * reached, in milliseconds.
   *
   * @default {10_000}
   */
  readonly openDeadlineMs?: number | undefined;
  /** Keys, buffers, redials: as {@linkcode connectResumable} has them. */
  readonly connect?: ConnectOptions | undefined;
  /** Goes on with the connections of another process. */
  readonly predecessor?: TunnelPredecessor | undefined;
}
