/**
 * The sending end of one connection: what becomes of each frame of sockets.
 * Pure. See `_receiver_core.ts` for the rule of ownership.
 */

/** Where a connection stands. */
export type SenderPhase =
  | "greeting"
  | "open"
  /** CANCEL was said and nothing more can be answered: reading what is left. */
  | "cancelling"
  | "closed";

/** A frame on its way. */
export interface InFlight {
  readonly id: number;
  readonly descriptors: number;
}

/** A connection. */
export interface SenderState {
  readonly phase: SenderPhase;
  /** Frames that were written, oldest first. */
  readonly inFlight: readonly InFlight[];
}

/** What can happen to it. */
export type SenderInput =
  | { readonly type: "welcome" }
  /** The program sends a frame; it is in the kernel, whole. */
  | { readonly type: "written"; readonly frame: InFlight }
  | { readonly type: "taken"; readonly descriptors: number }
  | {
    readonly type: "refused";
    readonly code: string;
    readonly reason: string;
  }
  /** The peer has not answered in time, or the program gives up. */
  | { readonly type: "give-up"; readonly why: string }
  /** CANCEL could not be written: nobody will read it. */
  | { readonly type: "cancel-failed" }
  | { readonly type: "bad-bytes"; readonly why: string }
  | { readonly type: "ended" };

/** What the shell has to do, in this order. */
export type SenderAction =
  /** The receiver has it: close our hold. */
  | { readonly type: "sent"; readonly id: number }
  /** It stays here: tell the program. */
  | {
    readonly type: "kept";
    readonly id: number;
    readonly code: string;
    readonly why: string;
    /** The receiver may have it all the same. */
    readonly uncertain: boolean;
  }
  /** Write CANCEL, shut both directions down, read what is left, then `ended`. */
  | { readonly type: "cancel" }
  | { readonly type: "close" };

/** The beginning. */
export const SENDER_START: SenderState = { phase: "greeting", inFlight: [] };

/** What follows. */
export interface SenderStep {
  readonly state: SenderState;
  readonly actions: SenderAction[];
}

/** Decides. */
export function stepSender(
  state: SenderState,
  input: SenderInput,
): SenderStep {
  const { phase, inFlight } = state;
  if (phase === "closed") {
    return input.type === "written"
      ? {
        state,
        actions: keep(
          [input.frame],
          "handoff/peer-gone",
          "the channel is closed",
        ),
      }
      : { state, actions: [] };
  }
  switch (input.type) {
    case "welcome":
      return phase === "greeting"
        ? { state: { ...state, phase: "open" }, actions: [] }
        : cancel(state);
    case "written":
      return {
        state: { ...state, inFlight: [...inFlight, input.frame] },
        actions: [],
      };
    case "taken":
    case "refused":
      return answered(state, input);
    case "give-up":
      return phase === "cancelling" ? { state, actions: [] } : cancel(state);
    case "cancel-failed":
      return finish(
        state,
        "handoff/timed-out",
        "it did not answer and reads nothing",
        true,
      );
    case "bad-bytes":
      return phase === "cancelling" ? { state, actions: [] } : cancel(state);
    case "ended":
      // A peer that ended has closed what it had; one that we gave up on read
      // CANCEL, and could not acknowledge.
      return phase === "cancelling"
        ? finish(state, "handoff/timed-out", "it did not answer in time", false)
        : finish(
          state,
          "handoff/peer-gone",
          "it ended without an answer",
          false,
        );
  }
}

/** Answers come in the order of the frames. */
function answered(
  state: SenderState,
  input: SenderInput & { readonly type: "taken" | "refused" },
): SenderStep {
  const [first, ...rest] = state.inFlight;
  if (input.type === "refused") {
    const { code, reason } = input;
    // A refusal without a frame ends the connection.
    if (first === undefined) return finish(state, code, reason, false);
    return {
      state: { ...state, inFlight: rest },
      actions: keep([first], code, reason),
    };
  }
  if (first === undefined || first.descriptors !== input.descriptors) {
    // It took fewer than were sent: it is broken, and may have any of them.
    const why = "it acknowledged another number of descriptors";
    return finish(state, "handoff/bad-bytes", why, true);
  }
  return {
    state: { ...state, inFlight: rest },
    actions: [{ type: "sent", id: first.id }],
  };
}

function cancel(state: SenderState) {
  return {
    state: { ...state, phase: "cancelling" } as const,
    actions: [{ type: "cancel" } as const],
  };
}

function keep(
  frames: readonly InFlight[],
  code: string,
  why: string,
  uncertain = false,
): SenderAction[] {
  return frames.map(({ id }) => ({ type: "kept", id, code, why, uncertain }));
}

function finish(
  state: SenderState,
  code: string,
  why: string,
  uncertain: boolean,
) {
  return {
    state: { phase: "closed", inFlight: [] } as const,
    actions: [
      ...keep(state.inFlight, code, why, uncertain),
      { type: "close" } as const,
    ],
  };
}
