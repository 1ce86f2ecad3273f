import type { Detachable } from "./detach.ts";
import type { DetachedSocket } from "./detached_socket.ts";
import type { PassableListener } from "./listener.ts";
import type { SpawnWithSocketsOptions } from "./spawn.ts";

/** An open connection that a successor is to go on with. */
export interface HandedConnection {
  /** The connection. */
  readonly socket: Detachable;
  /** What the successor has to know of it: JSON. */
  readonly meta?: unknown;
}

/** A connection that comes back when an upgrade fails. */
export interface DetachedConnection {
  /** The connection, with its unread bytes. */
  readonly socket: DetachedSocket;
  /** What was given with it. */
  readonly meta: unknown;
}

/** Options for {@linkcode Upgrader.upgrade}. */
export interface UpgradeOptions
  extends Omit<SpawnWithSocketsOptions, "control" | "protocol" | "signal"> {
  /** The program that takes over. */
  readonly command: string;
  /**
   * The listeners to pass, by name.
   *
   * @default {all that this upgrader gave out, but for closed ones}
   */
  readonly sockets?: Readonly<Record<string, PassableListener>> | undefined;
  /**
   * Stops the program from changing its state, and gives that state. Called
   * when the successor has loaded its code; the listeners are paused by then.
   * Without it the successor gets no state.
   */
  readonly state?:
    | (() => Promise<Uint8Array | undefined> | Uint8Array | undefined)
    | undefined;
  /**
   * Gives the open connections that the successor is to go on with, each with
   * what it has to know (JSON). Called after `state`; their unread bytes travel
   * along. The successor finds them in `Upgrader.connections`.
   */
  readonly connections?:
    | (() => Iterable<HandedConnection> | Promise<Iterable<HandedConnection>>)
    | undefined;
  /**
   * Undoes what `state` and `connections` stopped; called when the upgrade
   * fails after that, with the connections that were given away, detached.
   */
  readonly thaw?:
    | ((connections: DetachedConnection[]) => Promise<void> | void)
    | undefined;
  /**
   * Asks the successor, which is ready and does not serve yet, whether it is
   * healthy: at an address where it answers as it will answer everybody. False
   * or an error rolls the upgrade back. The successor serves it by
   * `Upgrader.serve` or `serveNode`, or accepts from `Upgrader.probe`.
   */
  readonly probe?:
    | ((
      addr: Deno.NetAddr,
      signal: AbortSignal,
    ) => Promise<boolean | void> | boolean | void)
    | undefined;
  /**
   * How many processes may finish their work beside the successor, this one
   * included. The oldest is told to end when there are more.
   *
   * @default {4}
   */
  readonly generationsMax?: number | undefined;
  /**
   * How long the whole upgrade may take.
   *
   * @default {60000}
   */
  readonly timeoutMs?: number | undefined;
  /** Aborts the upgrade: the successor is killed, this process serves on. */
  readonly signal?: AbortSignal | undefined;
}
