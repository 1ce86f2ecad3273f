/**
 * The arriving side of an upgrade: which step follows from what happened. Pure;
 * `_inheritance_channel.ts` carries the actions out.
 */
import { badBytes, type Message } from "./_frames.ts";
import { HandoffError } from "./error.ts";

/** Where an upgrade stands, seen from the process that is to take over. */
export type SuccessorPhase =
  /** Makes its preparations; the predecessor serves undisturbed. */
  | { readonly name: "loading" }
  /** Has asked for the state. */
  | { readonly name: "asked" }
  | {
    readonly name: "receiving";
    readonly length: number | undefined;
    readonly received: number;
  }
  /** All of the state is here; its digest is being compared. */
  | { readonly name: "checking" }
  | { readonly name: "holding" }
  /** Has said that it is ready. */
  | { readonly name: "announced" }
  /** Serves. The end. */
  | { readonly name: "serving" }
  /** Must not serve. The end. */
  | { readonly name: "failed"; readonly error: HandoffError };

/** What can happen to a successor. */
export type SuccessorInput =
  /** The program wants the state. */
  | { readonly type: "ask" }
  /** The program is ready. */
  | { readonly type: "announce" }
  | { readonly type: "message"; readonly message: Message }
  | { readonly type: "digest"; readonly equal: boolean }
  | { readonly type: "bad-bytes"; readonly error: HandoffError }
  /** The predecessor is gone. */
  | { readonly type: "channel-lost"; readonly cause?: unknown };

/** What the shell has to do. */
export type SuccessorAction =
  | { readonly type: "send"; readonly message: Message }
  /** Take memory for the state. */
  | { readonly type: "expect"; readonly length: number | undefined }
  | { readonly type: "store"; readonly bytes: Uint8Array }
  | { readonly type: "compare"; readonly digest: Uint8Array }
  /** The state is whole. */
  | { readonly type: "deliver" }
  | { readonly type: "serve" }
  | { readonly type: "fail"; readonly error: HandoffError };

/** The phase that follows and what to do. */
export interface SuccessorStep {
  /** The phase that follows. */
  readonly phase: SuccessorPhase;
  /** What to do, in this order. */
  readonly actions: readonly SuccessorAction[];
}

/** Decides; a step in a final phase changes nothing. */
export function stepSuccessor(
  phase: SuccessorPhase,
  input: SuccessorInput,
  stateBytesMax: number,
): SuccessorStep {
  if (phase.name === "serving" || phase.name === "failed") {
    return { phase, actions: [] };
  }
  switch (input.type) {
    case "ask":
      if (phase.name !== "loading") return { phase, actions: [] };
      return {
        phase: { name: "asked" },
        actions: [{ type: "send", message: { type: "prepared" } }],
      };
    case "announce":
      if (phase.name !== "holding") return { phase, actions: [] };
      return {
        phase: { name: "announced" },
        actions: [{ type: "send", message: { type: "ready" } }],
      };
    case "message":
      return stepMessage(phase, input.message, stateBytesMax);
    case "digest":
      if (phase.name !== "checking") return { phase, actions: [] };
      return input.equal
        ? { phase: { name: "holding" }, actions: [{ type: "deliver" }] }
        : fail(digestMismatch());
    case "bad-bytes":
      return fail(input.error);
    case "channel-lost":
      return stepLost(phase, input.cause);
  }
}

function stepMessage(
  phase: SuccessorPhase,
  message: Message,
  stateBytesMax: number,
): SuccessorStep {
  if (phase.name === "asked" && message.type === "state") {
    const { length } = message;
    if ((length ?? 0) > stateBytesMax) return fail(tooLarge(length!));
    return {
      phase: { name: "receiving", length, received: 0 },
      actions: [{ type: "expect", length }],
    };
  }
  if (phase.name === "receiving") return stepReceiving(phase, message);
  if (phase.name === "announced" && message.type === "go") {
    return { phase: { name: "serving" }, actions: [{ type: "serve" }] };
  }
  return fail(badBytes(`"${message.type}" came while ${phase.name}`));
}

function stepReceiving(
  phase: SuccessorPhase & { readonly name: "receiving" },
  message: Message,
): SuccessorStep {
  const { length } = phase;
  if (message.type === "chunk") {
    const received = phase.received + message.bytes.byteLength;
    if (received > (length ?? 0)) {
      return fail(badBytes("more state came than was announced"));
    }
    return {
      phase: { name: "receiving", length, received },
      actions: [{ type: "store", bytes: message.bytes }],
    };
  }
  if (message.type !== "end") {
    return fail(badBytes(`"${message.type}" came while receiving`));
  }
  if (phase.received !== (length ?? 0)) {
    return fail(badBytes("less state came than was announced"));
  }
  return {
    phase: { name: "checking" },
    actions: [{ type: "compare", digest: message.digest }],
  };
}

/**
 * Who has the whole state goes on alone: nobody else can. A predecessor that
 * rolls back kills its successor before it closes the channel.
 */
function stepLost(phase: SuccessorPhase, cause: unknown): SuccessorStep {
  if (phase.name === "announced") {
    return { phase: { name: "serving" }, actions: [{ type: "serve" }] };
  }
  // Its end is seen again when the program announces itself.
  if (phase.name === "holding") return { phase, actions: [] };
  return fail(
    new HandoffError(
      "handoff/predecessor-gone",
      `Cannot take over the state: the predecessor ended while this process was ${phase.name}: start without its state, or from a copy on disk`,
      { cause },
    ),
  );
}

function fail(error: HandoffError): SuccessorStep {
  // Not the whole sentence: the other side wraps it in its own.
  const reason = error.code;
  return {
    phase: { name: "failed", error },
    actions: [
      { type: "send", message: { type: "failed", reason } },
      { type: "fail", error },
    ],
  };
}

function digestMismatch(): HandoffError {
  return new HandoffError(
    "handoff/digest-mismatch",
    "Cannot take over the state: its SHA-256 is not the one announced: upgrade again",
  );
}

function tooLarge(length: number): HandoffError {
  return new HandoffError(
    "handoff/state-too-large",
    `Cannot take over the state: it has ${length} bytes, more than stateBytesMax: raise the limit in both processes, or keep bulk data on disk`,
  );
}
