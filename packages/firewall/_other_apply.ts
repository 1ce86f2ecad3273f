import {
  type Change,
  closeSequence,
  openSequence,
  type Sequence,
  type SequenceResult,
} from "./_other_sequence.ts";
import type { Plan, PlanStep } from "./plan.ts";
import type { Ran, Runner } from "./runner.ts";

/** A plan, and the changes that it makes; none where it is not ready. */
export interface ChangePlan {
  readonly plan: Plan;
  readonly changes: readonly Change[];
}

/** The two ways in which a sequence runs commands. */
export interface Rights {
  /** Runs what only reads, as this user. */
  readonly read: Runner;
  /** Runs one step with rights; the step itself asks the person for them. */
  readonly elevated: (
    step: PlanStep,
    options: { readonly signal?: AbortSignal | undefined },
  ) => Promise<Ran>;
}

interface Options {
  readonly signal?: AbortSignal | undefined;
}

/** How several changes ended. */
export interface ChangesResult {
  /** That of the first change that did not go well, or of the last one. */
  readonly result: SequenceResult;
  /** What was made, and still stands: to be taken back by `closeChanges`. */
  readonly made: readonly Change[];
}

/** Runs a sequence to its end. */
export async function drive(
  sequence: Sequence,
  { read, elevated }: Rights,
  options: Options = {},
): Promise<SequenceResult> {
  let next = sequence.next();
  while (!next.done) {
    options.signal?.throwIfAborted();
    const ask = next.value;
    next = sequence.next(
      ask.type === "read"
        ? await read(ask.call, options)
        : await elevated(ask.step, options),
    );
  }
  return next.value;
}

/**
 * Makes all changes, or none: when one does not go well, those before it are
 * taken back. One that was there already is not ours, and stays.
 */
export async function openChanges(
  changes: readonly Change[],
  rights: Rights,
  options: Options = {},
): Promise<ChangesResult> {
  const made: Change[] = [];
  let result: SequenceResult = { type: "already" };
  for (const change of changes) {
    const ended = await drive(openSequence(change), rights, options);
    if (ended.type === "done") {
      made.push(change);
      result = ended;
    } else if (ended.type !== "already") {
      // What was tried and failed may stand in part.
      const tried = ended.type === "failed"
        ? [...made, ...change.parts ?? [change]]
        : made;
      const back = await closeChanges(tried, rights);
      return { result: ended, made: back.made };
    }
  }
  return { result, made };
}

/** Takes changes back, the last one first; `made` is what still stands. */
export async function closeChanges(
  changes: readonly Change[],
  rights: Rights,
  options: Options = {},
): Promise<ChangesResult> {
  const left: Change[] = [];
  let result: SequenceResult = { type: "already" };
  for (const change of changes.toReversed()) {
    const ended = await drive(closeSequence(change), rights, options);
    const gone = ended.type === "done" || ended.type === "already";
    if (!gone) left.unshift(change);
    if (result.type === "already" || !gone) result = ended;
  }
  return { result, made: left };
}
