import type { NetworkWatch } from "@holdfast/netwatch";
import type { DialTarget, DialTlsConfig } from "@holdfast/recovery";
import type { ConnectOptions } from "@holdfast/resume";
import type { Limitation } from "./peer_events.ts";

/**
 * Where to connect to: `host:port`, a `ws:` or `wss:` URL, or one or several
 * names or addresses with ports, of one server.
 */
export type ConnectTarget = DialTarget | readonly DialTarget[] | string;

/** Options for `connect`. */
export interface ConnectToOptions extends Omit<ConnectOptions, "network"> {
  /** TLS over TCP. */
  readonly tls?: true | DialTlsConfig | undefined;
  /**
   * A watch of the network, which stays the caller's. Without it the connection
   * opens one of its own if it has the permissions; `false` for none.
   */
  readonly network?: NetworkWatch | false | undefined;
  /** Hears what a part cannot do, and why; the rest works. */
  readonly onLimited?: ((limitation: Limitation) => void) | undefined;
  /**
   * How long one try to get a transport may take, in milliseconds.
   *
   * @default {6_000}
   */
  readonly dialTimeoutMs?: number | undefined;
}
