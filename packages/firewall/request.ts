import type { Family } from "./outcome.ts";

/** Which connection from outside is meant. */
export interface AccessRequest {
  /** The local port, from 1 to 65 535. */
  readonly port: number;
  /**
   * The transport protocol.
   *
   * @default {"tcp"}
   */
  readonly protocol?: "tcp" | "udp" | undefined;
  /**
   * The address family. Left out: that of `source`, or else both, and the
   * outcome is the worse of the two.
   */
  readonly family?: Family | undefined;
  /**
   * Where the peers come from: an address, or a range such as `10.0.0.0/8`.
   * Left out: from anywhere. The outcome is that of most of the sources, and
   * its `except` names the others.
   */
  readonly source?: string | undefined;
  /** The address of this machine that is connected to. Left out: each. */
  readonly address?: string | undefined;
  /**
   * The interface that the packets come in by, such as `eth0`. Left out: any
   * but the loopback one.
   */
  readonly interface?: string | undefined;
  /**
   * The program that listens, by its full path without links, such as
   * `Deno.execPath()`: Windows and macOS have rules for single programs, and
   * where this is left out they make the outcome `unknown`. Linux and FreeBSD
   * do not look at it.
   */
  readonly program?: string | undefined;
}
