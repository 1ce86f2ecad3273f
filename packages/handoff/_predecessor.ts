/**
 * The running side of an upgrade: which step follows from what happened. Pure;
 * `_upgrade.ts` carries the actions out.
 */
import type { HandoffErrorCode } from "./error.ts";
import type { UpgradePhase } from "./upgrade_event.ts";

/** What can happen to an upgrade. */
export type PredecessorInput =
  | { readonly type: "prepared" }
  | { readonly type: "frozen" }
  | { readonly type: "sent" }
  | { readonly type: "ready" }
  | { readonly type: "probed" }
  /** The successor is ready, and not healthy. */
  | { readonly type: "probe-failed"; readonly cause: unknown }
  | { readonly type: "go-sent" }
  /** A message that the successor may not send, or none at all. */
  | { readonly type: "bad-bytes"; readonly cause: unknown }
  /** `state()` threw, or gave what cannot be sent. */
  | { readonly type: "freeze-failed"; readonly cause: unknown }
  /** The channel broke or ended. */
  | { readonly type: "channel-lost"; readonly cause?: unknown }
  | { readonly type: "exited"; readonly how: string }
  /** The successor says why it cannot. */
  | { readonly type: "refused"; readonly reason: string }
  | { readonly type: "timed-out"; readonly cause: unknown }
  | { readonly type: "aborted"; readonly cause: unknown };

/** What the shell has to do. */
export type PredecessorAction =
  | { readonly type: "freeze" }
  | { readonly type: "send-state" }
  | { readonly type: "probe" }
  | { readonly type: "send-go" }
  | { readonly type: "finish" }
  /** Kill the successor, thaw if frozen, and fail with this. */
  | {
    readonly type: "roll-back";
    readonly code: HandoffErrorCode;
    readonly frozen: boolean;
    readonly why: string;
    readonly cause: unknown;
    /** Whether the successor seems to be ending by itself. */
    readonly ending: boolean;
  };

/** The phase that follows and what to do. */
export interface PredecessorStep {
  /** The phase that follows. */
  readonly phase: UpgradePhase;
  /** What to do, in this order. */
  readonly actions: readonly PredecessorAction[];
}

/** Decides; a step in a final phase changes nothing. */
export function stepPredecessor(
  phase: UpgradePhase,
  input: PredecessorInput,
): PredecessorStep {
  if (phase === "committed" || phase === "rolled-back") {
    return { phase, actions: [] };
  }
  switch (input.type) {
    case "prepared":
      if (phase !== "starting") return outOfTurn(phase, input.type);
      return { phase: "freezing", actions: [{ type: "freeze" }] };
    case "frozen":
      if (phase !== "freezing") return outOfTurn(phase, input.type);
      return { phase: "sending", actions: [{ type: "send-state" }] };
    case "sent":
      if (phase !== "sending") return outOfTurn(phase, input.type);
      return { phase: "awaiting-ready", actions: [] };
    case "ready":
      if (phase !== "awaiting-ready") return outOfTurn(phase, input.type);
      return { phase: "probing", actions: [{ type: "probe" }] };
    case "probed":
      if (phase !== "probing") return outOfTurn(phase, input.type);
      return { phase: "committing", actions: [{ type: "send-go" }] };
    case "probe-failed":
      return phase === "probing"
        ? rollBack(phase, input)
        : outOfTurn(phase, input.type);
    case "go-sent":
      if (phase !== "committing") return outOfTurn(phase, input.type);
      return { phase: "committed", actions: [{ type: "finish" }] };
    case "timed-out":
    case "aborted":
      // Too late: the successor may have been told, and serve already.
      if (phase === "committing") return { phase, actions: [] };
      return rollBack(phase, input);
    default:
      return rollBack(phase, input);
  }
}

function outOfTurn(phase: UpgradePhase, what: string): PredecessorStep {
  const cause = new RangeError(`"${what}" came while ${phase}`);
  return rollBack(phase, { type: "bad-bytes", cause });
}

function rollBack(
  phase: UpgradePhase,
  input: PredecessorInput,
): PredecessorStep {
  return {
    phase: "rolled-back",
    actions: [{
      type: "roll-back",
      code: input.type === "probe-failed"
        ? "handoff/probe-failed"
        : codeOf(phase),
      frozen: phase !== "starting",
      why: explain(input),
      cause: "cause" in input ? input.cause : undefined,
      ending: input.type === "channel-lost",
    }],
  };
}

/** The code says how far it came: that is what the program must know. */
function codeOf(phase: UpgradePhase): HandoffErrorCode {
  switch (phase) {
    case "starting":
      return "handoff/not-prepared";
    case "freezing":
      return "handoff/freeze-failed";
    case "sending":
      return "handoff/transfer-failed";
    default:
      return "handoff/not-ready";
  }
}

function explain(input: PredecessorInput): string {
  switch (input.type) {
    case "bad-bytes":
      return "it does not keep to the protocol";
    case "freeze-failed":
      return "state() failed";
    case "probe-failed":
      return "its health probe failed";
    case "channel-lost":
      return "it closed the control channel";
    case "exited":
      return `it ended with ${input.how}`;
    case "refused":
      return `it says: ${input.reason}`;
    case "timed-out":
      return "it took too long";
    case "aborted":
      return "the upgrade was aborted";
    default:
      return input.type;
  }
}
