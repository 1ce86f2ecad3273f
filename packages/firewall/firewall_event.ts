import type { Outcome } from "./outcome.ts";

/** What happens to a lease; each event says why. */
export type FirewallEvent =
  /** Its rules are in place, and the connection is let in. */
  | {
    readonly type: "opened";
    readonly id: string;
    readonly why: string;
    /** Seconds since 1970 when it is closed unless it is renewed. */
    readonly expires: number | undefined;
  }
  /** It lasts longer now. */
  | {
    readonly type: "renewed";
    readonly id: string;
    readonly why: string;
    /** Seconds since 1970 when it is closed unless it is renewed again. */
    readonly expires: number;
  }
  /** Its rules are gone, for it was asked to take them back. */
  | {
    readonly type: "reverted";
    readonly id: string;
    readonly why: string;
    /**
     * Peers whose connections go on, for rules are asked about new ones: at
     * most 20, and none where conntrack is not installed.
     */
    readonly flows: readonly string[];
  }
  /** Its rules are gone, and it was not this program. */
  | {
    readonly type: "flushed-by-other";
    readonly id: string;
    readonly why: string;
  }
  /** The connection is not let in, and it cannot be helped. */
  | {
    readonly type: "blocked";
    readonly id: string;
    readonly why: string;
    /** What stops it, where that could be told. */
    readonly outcome: Outcome | undefined;
  };
