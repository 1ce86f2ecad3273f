/**
 * The schedule of a dial, without a clock, a socket or a random number: which
 * candidate is tried when, and how it ends.
 *
 * The first candidate starts at once, each next one a stagger later, or at once
 * when all that were started have failed (a refusal must not cost the stagger).
 * Each retries on its own after the wait that its failure came with. The first
 * connection wins; the deadline ends everything.
 */

/** What does not change during a race. */
export interface RaceConfig {
  readonly candidates: number;
  readonly staggerMs: number;
  readonly attemptMs: number;
  readonly deadlineAt: number;
}

/** What one candidate is doing. */
export type Lane =
  /** It starts at `at`, for the first time or again. */
  | { readonly type: "waiting"; readonly at: number; readonly number: number }
  | {
    readonly type: "running";
    readonly attempt: number;
    readonly expiresAt: number;
    readonly number: number;
    /** Told to end: its failure is the next that is heard of it. */
    readonly expired: boolean;
  }
  | { readonly type: "given-up" };

export type Outcome =
  | { readonly type: "running" }
  | { readonly type: "opened"; readonly attempt: number }
  | { readonly type: "given-up" }
  | { readonly type: "timed-out" };

export interface RaceState {
  readonly config: RaceConfig;
  readonly lanes: readonly Lane[];
  /** The id of the next attempt: unique over all candidates. */
  readonly nextAttempt: number;
  readonly outcome: Outcome;
}

export type RaceInput =
  | { readonly type: "wake" }
  | { readonly type: "opened"; readonly attempt: number }
  /** `retryInMs` is left undefined when trying again cannot help. */
  | {
    readonly type: "failed";
    readonly attempt: number;
    readonly retryInMs: number | undefined;
  };

export type RaceAction =
  | {
    readonly type: "connect";
    readonly attempt: number;
    readonly candidate: number;
    /** How many attempts this candidate had before. */
    readonly number: number;
  }
  /** The attempt took too long: end it, then report it as failed. */
  | { readonly type: "expire"; readonly attempt: number }
  /** The race is over: end it, and close what it may still bring. */
  | { readonly type: "abandon"; readonly attempt: number };

export interface RaceStep {
  readonly state: RaceState;
  readonly actions: readonly RaceAction[];
  /** When to wake it next, at the latest; undefined once the race is over. */
  readonly wakeAt: number | undefined;
}

/** The race before its first step, which is a `wake`. */
export function startRace(config: RaceConfig, now: number): RaceState {
  const lanes = Array.from(
    { length: config.candidates },
    (_, index): Lane => ({
      type: "waiting",
      at: now + index * config.staggerMs,
      number: 0,
    }),
  );
  return { config, lanes, nextAttempt: 0, outcome: { type: "running" } };
}

/** Takes one input; pure. Inputs of attempts that are over change nothing. */
export function stepRace(
  state: RaceState,
  input: RaceInput,
  now: number,
): RaceStep {
  if (state.outcome.type !== "running") {
    return { state, actions: [], wakeAt: undefined };
  }
  const { config } = state;
  const lanes = [...state.lanes];
  if (input.type !== "wake") {
    const index = lanes.findIndex((lane) =>
      lane.type === "running" && lane.attempt === input.attempt
    );
    const lane = lanes[index];
    if (lane?.type === "running") {
      if (input.type === "opened") {
        return over(state, { type: "opened", attempt: input.attempt });
      }
      lanes[index] = input.retryInMs === undefined ? { type: "given-up" } : {
        type: "waiting",
        at: now + input.retryInMs,
        number: lane.number + 1,
      };
    }
  }
  if (now >= config.deadlineAt) {
    return over({ ...state, lanes }, { type: "timed-out" });
  }
  if (lanes.every(({ type }) => type === "given-up")) {
    return over({ ...state, lanes }, { type: "given-up" });
  }
  return advance(state, lanes, now);
}

/** Starts and expires what is due. */
function advance(state: RaceState, lanes: Lane[], now: number): RaceStep {
  const { config } = state;
  hurry(lanes, now);
  const actions: RaceAction[] = [];
  let nextAttempt = state.nextAttempt;
  let wakeAt = config.deadlineAt;
  for (const [candidate, lane] of lanes.entries()) {
    if (lane.type === "given-up") continue;
    if (lane.type === "running") {
      if (lane.expired) continue;
      // Its failure is an input of its own: it brings the wait to the retry.
      if (now >= lane.expiresAt) {
        lanes[candidate] = { ...lane, expired: true };
        actions.push({ type: "expire", attempt: lane.attempt });
      } else wakeAt = Math.min(wakeAt, lane.expiresAt);
      continue;
    }
    if (now < lane.at) {
      wakeAt = Math.min(wakeAt, lane.at);
      continue;
    }
    const attempt = nextAttempt++;
    const expiresAt = now + config.attemptMs;
    const { number } = lane;
    lanes[candidate] = {
      type: "running",
      attempt,
      expiresAt,
      number,
      expired: false,
    };
    actions.push({ type: "connect", attempt, candidate, number });
    wakeAt = Math.min(wakeAt, expiresAt);
  }
  return { state: { ...state, lanes, nextAttempt }, actions, wakeAt };
}

/** When nothing runs or is due, the next candidate never tried starts now. */
function hurry(lanes: Lane[], now: number): void {
  const busy = (lane: Lane) =>
    lane.type === "running" || lane.type === "waiting" && lane.at <= now;
  if (lanes.some(busy)) return;
  const index = lanes.findIndex((lane) =>
    lane.type === "waiting" && lane.number === 0
  );
  const lane = lanes[index];
  if (lane?.type !== "waiting") return;
  const earlier = lane.at - now;
  for (let i = index; i < lanes.length; i++) {
    const later = lanes[i]!;
    // The rest moves along, so that the stagger between them stays.
    if (later.type === "waiting" && later.number === 0) {
      lanes[i] = { ...later, at: later.at - earlier };
    }
  }
}

function over(state: RaceState, outcome: Outcome): RaceStep {
  const winner = outcome.type === "opened" ? outcome.attempt : undefined;
  const actions = state.lanes.flatMap((lane): RaceAction[] =>
    lane.type === "running" && !lane.expired && lane.attempt !== winner
      ? [{ type: "abandon", attempt: lane.attempt }]
      : []
  );
  return { state: { ...state, outcome }, actions, wakeAt: undefined };
}
