import type { PresharedKey } from "./_handshake_client.ts";
import type { StreamOptions } from "./_options.ts";
import type { Transport } from "./transport.ts";

/** What a dial function is told. */
export interface DialContext {
  /** 0 for the first transport of the session; then 1 for the first try of each redial. */
  readonly attempt: number;
  /** Where the peer said that it is from now on, if it said so. */
  readonly movedTo: string | undefined;
  /** Aborts when the transport is no longer wanted. */
  readonly signal: AbortSignal;
}

/**
 * Gets a connected transport. When `signal` aborts it is not waited for any
 * more, and what it still gives is closed.
 */
export type Dial = (context: DialContext) => Promise<Transport>;

/**
 * A source of news about the network. Any `Events` will do: a watch of
 * `@holdfast/netwatch` as it is, which then tracks the way of each transport, or
 * what it tells of one path. `path-lost` drops the transport. `path-changed`, `path-restored`, `default-interface-changed`,
 * `gateway-changed`, `network-changed`, `online` and `woke` get a new one, while
 * the old one still carries the stream. Every event ends a wait between redials.
 */
export interface NetworkNews {
  /** See `Events.on`. */
  on(
    type: "*",
    listener: (event: { readonly type: string }) => void,
  ): Disposable;
  /**
   * Tells of the way between two addresses, as `NetworkWatch.track` does; used
   * for each transport, if it is there.
   */
  track?(path: {
    readonly localAddr: Deno.Addr;
    readonly remoteAddr: Deno.Addr;
  }): PathNews;
}

/** News about the way of one transport. */
export interface PathNews extends Disposable {
  /** See `Events.on`; `path-lost` drops the transport. */
  on(
    type: "*",
    listener: (event: { readonly type: string }) => void,
  ): Disposable;
}

/** Options for {@linkcode connectResumable}. */
export interface ConnectOptions extends StreamOptions {
  /** Aborts the connection, also after it was made. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Proves each end to the other. Without it, and without TLS below, the
   * stream is safe against those who listen, not against those who change it.
   */
  readonly presharedKey?: PresharedKey | undefined;
  /** News about the network, to redial at once instead of waiting. */
  readonly network?: NetworkNews | undefined;
  /**
   * How long one redial may take until there is a transport, in milliseconds;
   * the first dial is for `signal` to end. News of a network change end a
   * redial earlier: it may be under way on a path that is gone.
   *
   * @default {15_000}
   */
  readonly dialTimeoutMs?: number | undefined;
  /**
   * The longest wait between two redials, in milliseconds, at least 50. The
   * first is 50 ms at most, and each one is random between 0 and its limit.
   *
   * @default {5_000}
   */
  readonly redialMaxMs?: number | undefined;
  /**
   * What a write does when the send buffer is full and there is no transport:
   * wait for one, or reject with `resume/buffer-full`.
   *
   * @default {"wait"}
   */
  readonly whenDetached?: "wait" | "fail" | undefined;
}
