/** A firewall, or a manager of one, that may stand in the way. */
export type LayerName =
  | "nftables"
  | "iptables-nft"
  | "iptables-legacy"
  | "ufw"
  | "firewalld"
  /** The firewall of Windows. */
  | "defender"
  /** The firewall of macOS that goes by programs. */
  | "application-firewall"
  /** The packet filter of macOS and FreeBSD. */
  | "pf"
  | "ipfw"
  | "other";

/** An address family: each has rules of its own. */
export type Family = "ipv4" | "ipv6";

/** Where a packet of the asked connection is dropped. */
export interface Blocker {
  /** Who must be asked to let it in. */
  readonly layer: LayerName;
  /** The family of the packet that is dropped. */
  readonly family: Family;
  /** Which packet is dropped: of the peer, or our answer. */
  readonly direction: "inbound" | "reply";
  /** The table, with its family: `inet filter`. */
  readonly table: string;
  /** The chain in it. */
  readonly chain: string;
  /** The handle of the rule; undefined when the policy of the chain drops. */
  readonly handle: number | undefined;
  /**
   * The rule as `iptables-save`, pf or ipfw prints it, or its name on Windows;
   * left out where a handle says it all.
   */
  readonly rule?: string;
}

/** An outcome for a range of sources holds for most of them. */
export interface Except {
  /**
   * The sources that it does not hold for, or of which it cannot be told, as
   * addresses and ranges; at most 100, then how many more there are. Left out
   * when there are none.
   */
  readonly except?: readonly string[];
}

/**
 * Whether a connection from outside would be let in by this machine. Never a
 * yes or no: often the honest answer is that it cannot be told from here.
 *
 * - `open`: every rule that can be seen lets it in. Routers, clouds and
 *   programs for packets (XDP, eBPF) are not seen.
 * - `would-open`: the same, predicted for after a plan.
 * - `blocked-by`: dropped for certain, and where.
 * - `managed`: an administrator decides, and local rules do not count.
 * - `unknown`: it cannot be told, and why; often with the one command, for a
 *   user with more rights, that would tell.
 */
export type Outcome =
  | (
    & { readonly status: "open" | "would-open"; readonly why: string }
    & Except
  )
  | (
    & { readonly status: "blocked-by"; readonly why: string }
    & Blocker
    & Except
  )
  | { readonly status: "managed"; readonly why: string }
  | {
    readonly status: "unknown";
    readonly why: string;
    readonly command?: string;
  };
