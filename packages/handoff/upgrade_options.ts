import type { PassableListener } from "./listener.ts";
import type { SpawnWithSocketsOptions } from "./spawn.ts";

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
  /** Undoes what `state` stopped; called when the upgrade fails after that. */
  readonly thaw?: (() => Promise<void> | void) | undefined;
  /**
   * How long the whole upgrade may take.
   *
   * @default {60000}
   */
  readonly timeoutMs?: number | undefined;
  /** Aborts the upgrade: the successor is killed, this process serves on. */
  readonly signal?: AbortSignal | undefined;
}
