/**
 * The receiving end of one connection: what follows from what arrives. Pure;
 * the shell owns the descriptors and does what is said here.
 *
 * The rule by which a socket never has two owners and never none: the receiver
 * owns what it could acknowledge. When its acknowledgement can no longer be
 * sent, the sender is dead (then the receiver is the only owner left) or has
 * given up (then it has said CANCEL before, and keeps the socket).
 */
import { badFrame, type Frame, parseJson } from "./_transfer_frame.ts";
import type { HandoffError } from "./error.ts";

/** Where a connection stands. */
export type ReceiverPhase =
  /** The peer has not said hello. */
  | "greeting"
  | "open"
  /** An acknowledgement could not be sent: dead, or given up? */
  | "orphaned"
  | "closed";

/** A connection. */
export interface ReceiverState {
  readonly phase: ReceiverPhase;
  /** Frames taken whose acknowledgement is on its way, oldest first. */
  readonly pending: readonly number[];
}

/** What can happen to it. */
export type ReceiverInput =
  | {
    readonly type: "hello";
    /** Whether the token is the right one. */
    readonly trusted: boolean;
  }
  /** A frame of sockets, whole; `trouble` is what the kernel says against it. */
  | {
    readonly type: "sockets";
    readonly id: number;
    readonly trouble: { readonly code: string; readonly reason: string } | null;
  }
  | { readonly type: "cancel" }
  | { readonly type: "other"; readonly what: string }
  /** The acknowledgement of the oldest pending frame is in the kernel. */
  | { readonly type: "acknowledged" }
  | { readonly type: "acknowledging-failed" }
  | { readonly type: "bad-bytes"; readonly error: HandoffError }
  | { readonly type: "ended" }
  | { readonly type: "too-slow" };

/** What the shell has to do, in this order. */
export type ReceiverAction =
  | { readonly type: "welcome" }
  | { readonly type: "acknowledge"; readonly id: number }
  /** Give the sockets of the frame to the program. */
  | { readonly type: "deliver"; readonly id: number }
  /** Close the sockets of the frame. */
  | { readonly type: "discard"; readonly id: number }
  | {
    readonly type: "refuse";
    readonly code: string;
    readonly reason: string;
  }
  | { readonly type: "close" };

/** The beginning. */
export const RECEIVER_START: ReceiverState = { phase: "greeting", pending: [] };

/** Decides. */
export function stepReceiver(
  state: ReceiverState,
  input: ReceiverInput,
): { readonly state: ReceiverState; readonly actions: ReceiverAction[] } {
  const { phase, pending } = state;
  const stay = (
    actions: ReceiverAction[] = [],
    next: Partial<ReceiverState> = {},
  ) => ({ state: { ...state, ...next }, actions });
  if (phase === "closed") {
    return input.type === "sockets"
      ? stay([{ type: "discard", id: input.id }])
      : stay();
  }
  switch (input.type) {
    case "hello":
      if (phase !== "greeting") {
        return refuse(state, "handoff/bad-bytes", "hello came twice");
      }
      return input.trusted
        ? stay([{ type: "welcome" }], { phase: "open" })
        : refuse(
          state,
          "handoff/not-trusted",
          "the token is not the right one",
        );
    case "sockets":
      if (phase === "greeting") {
        return refuse(
          state,
          "handoff/not-trusted",
          "sockets came before hello",
          input.id,
        );
      }
      if (input.trouble !== null) {
        return stay([
          { type: "discard", id: input.id },
          { type: "refuse", ...input.trouble },
        ]);
      }
      return stay(
        // What cannot be answered waits like the one before it: see the rule.
        phase === "orphaned" ? [] : [{ type: "acknowledge", id: input.id }],
        { pending: [...pending, input.id] },
      );
    case "acknowledged": {
      const [id, ...rest] = pending;
      if (id === undefined || phase !== "open") return stay();
      return stay([{ type: "deliver", id }], { pending: rest });
    }
    case "acknowledging-failed":
      return phase === "open" ? stay([], { phase: "orphaned" }) : stay();
    case "cancel":
      // What was acknowledged is the program's; the sender finds that out.
      return end(pending.map((id) => ({ type: "discard", id })));
    case "ended":
      return end(pending.map((id) => ({ type: "deliver", id })));
    case "too-slow":
      return refuse(state, "handoff/timed-out", "it took too long");
    case "bad-bytes":
      return refuse(state, input.error.code, input.error.message);
    case "other":
      return refuse(state, "handoff/bad-bytes", `a ${input.what} frame came`);
  }
}

function end(actions: ReceiverAction[]) {
  return {
    state: { phase: "closed", pending: [] } as const,
    actions: [...actions, { type: "close" } as const],
  };
}

function refuse(
  state: ReceiverState,
  code: string,
  reason: string,
  id?: number,
) {
  const discarded = id === undefined ? state.pending : [...state.pending, id];
  return end([
    ...discarded.map((id): ReceiverAction => ({ type: "discard", id })),
    { type: "refuse", code, reason },
  ]);
}

/** A frame as an input; sockets frames get their id and trouble by the shell. */
export function inputOf(frame: Frame, trusted: boolean): ReceiverInput {
  switch (frame.type) {
    case "hello":
      return { type: "hello", trusted };
    case "cancel":
      return { type: "cancel" };
    default:
      return { type: "other", what: frame.type };
  }
}

/** What a refusal says. */
export function parseRefusal(
  frame: Frame,
): { readonly code: string; readonly reason: string } {
  const json = parseJson(frame) as { code?: unknown; reason?: unknown } | null;
  const { code, reason } = json ?? {};
  if (typeof code !== "string" || typeof reason !== "string") {
    throw badFrame("a refusal does not say why");
  }
  return { code: code.slice(0, 64), reason: reason.slice(0, 256) };
}
