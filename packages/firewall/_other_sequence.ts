import type { PlanStep } from "./plan.ts";
import type { Call, Ran } from "./runner.ts";

/** How a rule of ours stands, by what was read. */
export type RuleState =
  | { readonly type: "absent" }
  | { readonly type: "present" }
  /** Something with our name is there, and is not what we made. */
  | { readonly type: "different"; readonly why: string }
  | { readonly type: "unknown"; readonly why: string };

/** One change of a plan, with everything that is needed to make it safely. */
export interface Change {
  /** What is read before and after. */
  readonly reads: readonly Call[];
  /** How the rule stands, by the answers to `reads`, in the same order. */
  readonly stateOf: (answers: readonly Ran[]) => RuleState;
  readonly open: PlanStep;
  readonly close: PlanStep;
  /** Where it is several in one: each by itself, should only some be made. */
  readonly parts?: readonly Change[];
  /** Whether the person refused, by the answer to a command with rights. */
  readonly refused: (answer: Ran) => boolean;
}

/** What a sequence asks its driver to do next. */
export type Ask =
  | { readonly type: "read"; readonly call: Call }
  /** To be run with rights: at most once in a sequence, so one prompt. */
  | { readonly type: "elevated"; readonly step: PlanStep };

/** How a sequence ended. */
export type SequenceResult =
  | { readonly type: "done" }
  /** It was so already, and nothing was run with rights. */
  | { readonly type: "already" }
  | { readonly type: "consent-denied"; readonly why: string }
  /** Nothing was run with rights, for something of others is in the way. */
  | { readonly type: "left-alone"; readonly why: string }
  /** It was run, and what was read afterwards is not what was asked for. */
  | { readonly type: "failed"; readonly why: string };

/** A sequence of commands; whoever drives it gives each answer back. */
export type Sequence = Generator<Ask, SequenceResult, Ran>;

/** Makes the change: read, one command with rights, read again. */
export function* openSequence(change: Change): Sequence {
  return yield* sequence(change, change.open, "present", "absent");
}

/** Takes exactly it back: nothing that is not as we made it is touched. */
export function* closeSequence(change: Change): Sequence {
  return yield* sequence(change, change.close, "absent", "present");
}

function* sequence(
  change: Change,
  step: PlanStep,
  wanted: RuleState["type"],
  expected: RuleState["type"],
): Sequence {
  const before = yield* readState(change);
  if (before.type === wanted) return { type: "already" };
  if (before.type !== expected) {
    const why = "why" in before ? before.why : `the rule is ${before.type}`;
    return { type: "left-alone", why };
  }
  const answer = yield { type: "elevated", step };
  if (change.refused(answer)) {
    return { type: "consent-denied", why: "the person said no to the prompt" };
  }
  // Never by the exit code: tools of this kind end with 0 and did nothing.
  const after = yield* readState(change);
  if (after.type === wanted) return { type: "done" };
  return {
    type: "failed",
    why: `afterwards the rule is ${after.type}${
      "why" in after ? ` (${after.why})` : ""
    }: ${describeRan(answer)}`,
  };
}

function* readState(change: Change): Generator<Ask, RuleState, Ran> {
  const answers: Ran[] = [];
  for (const call of change.reads) {
    answers.push(yield { type: "read", call });
  }
  return change.stateOf(answers);
}

function describeRan(ran: Ran): string {
  if (ran.type === "absent") return "the command is not installed";
  if (ran.type === "forbidden") return ran.why;
  return `the command ended with ${ran.code}`;
}
