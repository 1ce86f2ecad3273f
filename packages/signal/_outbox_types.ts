/** What goes into an outbox, and what comes out: see `_outbox.ts`. */
/**
 * How copies are made. `hedge`: one, and another by the next broker each time
 * the acknowledgement is late (Dean and Barroso, The Tail at Scale, 2013).
 * `always`: by all at once. `single`: by one, and by another one only when it
 * is repeated.
 */
export type SendMode = "hedge" | "always" | "single";

/** What rules an outbox. */
export interface OutboxRules {
  /**
   * How far the numbers of one lane's unacknowledged messages may spread. At
   * most the receiver's window: past it a retransmission would look stale to
   * the peer, and be lost.
   */
  readonly spreadMax: number;
  /** The pause after each attempt, from 0. */
  readonly delayMs: (attempt: number) => number;
}

/** One message, by its lane and its number. */
export interface MessageKey {
  /** One peer and one epoch of ours: what a window at the peer covers. */
  readonly lane: string;
  readonly sequence: number;
}

/** What can happen to an outbox. */
export type OutboxInput =
  /** The numbers of a lane must rise. */
  | MessageKey & {
    readonly type: "send";
    readonly deadline: number;
    readonly mode: SendMode;
    readonly hedgeMs: number;
    readonly ways: number;
  }
  | {
    readonly type: "ack";
    readonly lane: string;
    /** Whether the peer has it; asked for each number that waits. */
    readonly has: (sequence: number) => boolean;
  }
  | MessageKey & { readonly type: "cancel" }
  /** Only lanes that use it. */
  | {
    readonly type: "broker-up";
    readonly broker: string;
    readonly uses: (lane: string) => boolean;
  }
  /** A broker is lost: what went by it alone goes by another at once. */
  | {
    readonly type: "broker-lost";
    readonly lost: (key: MessageKey) => boolean;
  }
  /** A session has begun: everything can go now, under its keys. */
  | { readonly type: "session"; readonly lane: string }
  | { readonly type: "tick" };

/** Why a message is published. */
export type PublishReason =
  | "new"
  | "hedge"
  | "retransmit"
  | "broker-up"
  | "session";

/** What the shell has to do. */
export type OutboxAction =
  | MessageKey & {
    readonly type: "publish";
    readonly reason: PublishReason;
    /** By one more broker, by all at once, or by this one. */
    readonly to: "one" | "all" | { readonly broker: string };
  }
  | MessageKey & {
    readonly type: "settle";
    readonly outcome: "acknowledged" | "expired" | "cancelled";
  };

/** What one step gives. */
export interface OutboxStep {
  readonly actions: readonly OutboxAction[];
  /** When to step with `tick`; `Infinity` for never. */
  readonly wakeAt: number;
}
