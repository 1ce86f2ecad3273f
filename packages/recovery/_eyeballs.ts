/**
 * Which address of a host is tried when: Happy Eyeballs version 2 (RFC 8305),
 * with a second socket to an address that is silent, since a lost SYN is sent
 * again after a second only (RFC 6298 §2). Pure: no clock, socket or random
 * number; names are looked up and sockets opened outside.
 */

import { isIP } from "node:net";

/** A family of addresses. */
export type Family = "v4" | "v6";

/** The family of an address. */
export function familyOf(address: string): Family {
  return isIP(address.replace(/%.*$/, "")) === 6 ? "v6" : "v4";
}

/** What does not change during a race. */
export interface EyeballsConfig {
  /** Of which family the first address is. */
  readonly first: Family;
  /** The head start of each address before the next. */
  readonly staggerMs: number;
  /** How long an address may be silent before it gets a second socket. */
  readonly hedgeMs: number;
  /** How many more sockets an address may get; 0 for none. */
  readonly hedgesMax: number;
  /** How long to wait for the first family when the other has addresses. */
  readonly resolutionDelayMs: number;
  /** How many sockets may be open at once. */
  readonly socketsMax: number;
}

/** One address, and what became of its sockets. */
interface Lane {
  readonly address: string;
  readonly family: Family;
  readonly started: number;
  readonly startedAt: number;
  readonly running: readonly number[];
  /** Its kernel has answered: another socket would bring nothing. */
  readonly answered: boolean;
  readonly failed: boolean;
}

/** A race under way. */
export interface Eyeballs {
  readonly config: EyeballsConfig;
  readonly lanes: readonly Lane[];
  /** The families that are still looked up. */
  readonly asking: readonly Family[];
  /** From when on the family that came first may do without the other. */
  readonly gateAt: number | undefined;
  /** When the next address may start. */
  readonly nextAt: number;
  readonly nextAttempt: number;
  readonly outcome: "running" | "won" | "lost";
}

/** What happens to a race. */
export type EyeballsInput =
  | { readonly type: "wake" }
  /** A look-up is over; without addresses it failed. */
  | {
    readonly type: "found";
    readonly family: Family;
    readonly addresses: readonly string[];
  }
  /** The kernel of the other side has answered. */
  | { readonly type: "answered"; readonly attempt: number }
  /** All that makes a connection is done. */
  | { readonly type: "done"; readonly attempt: number }
  | { readonly type: "failed"; readonly attempt: number };

/** What is to be done. */
export type EyeballsAction =
  | {
    readonly type: "open";
    readonly attempt: number;
    readonly address: string;
    readonly family: Family;
  }
  | { readonly type: "abandon"; readonly attempt: number };

/** The next state, what to do, and when to wake it. */
export interface EyeballsStep {
  readonly state: Eyeballs;
  readonly actions: readonly EyeballsAction[];
  readonly wakeAt: number | undefined;
}

/** So many second sockets go at the same pace, each later one waits twice. */
const STEADY_HEDGES = 7;

/** A race that waits for the look-ups of these families. */
export function startEyeballs(
  config: EyeballsConfig,
  asking: readonly Family[],
  now: number,
): Eyeballs {
  return {
    ...{ config, lanes: [], asking, gateAt: undefined, nextAt: now },
    ...{ nextAttempt: 0, outcome: "running" },
  };
}

/** Takes one input. Inputs of attempts that are over change nothing. */
export function stepEyeballs(
  state: Eyeballs,
  input: EyeballsInput,
  now: number,
): EyeballsStep {
  if (state.outcome !== "running") {
    return { state, actions: [], wakeAt: undefined };
  }
  const next = take(state, input, now);
  if (next.outcome === "won") {
    const won = (input as { attempt: number }).attempt;
    const actions = next.lanes.flatMap(({ running }) => running)
      .filter((attempt) => attempt !== won)
      .map((attempt) => ({ type: "abandon", attempt }) as const);
    return { state: next, actions, wakeAt: undefined };
  }
  return advance(next, now);
}

function take(state: Eyeballs, input: EyeballsInput, now: number): Eyeballs {
  if (input.type === "wake") return state;
  if (input.type === "found") {
    if (!state.asking.includes(input.family)) return state;
    const { family, addresses } = input;
    const known = new Set(state.lanes.map(({ address }) => address));
    const fresh = [...new Set(addresses)].filter((a) => !known.has(a));
    const lanes = [
      ...state.lanes,
      ...fresh.map((address): Lane => ({
        ...{ address, family, started: 0, startedAt: now, running: [] },
        ...{ answered: false, failed: false },
      })),
    ];
    const asking = state.asking.filter((other) => other !== family);
    const gateAt = state.gateAt ??
      (lanes.length > 0 ? now + state.config.resolutionDelayMs : undefined);
    return { ...state, asking, gateAt, lanes: inOrder(lanes, state.config) };
  }
  const { attempt } = input;
  const index = state.lanes.findIndex(({ running }) =>
    running.includes(attempt)
  );
  const lane = state.lanes[index];
  if (lane === undefined) return state;
  if (input.type === "done") return { ...state, outcome: "won" };
  const lanes = [...state.lanes];
  if (input.type === "answered") {
    lanes[index] = { ...lane, answered: true };
    return { ...state, lanes };
  }
  const running = lane.running.filter((other) => other !== attempt);
  lanes[index] = { ...lane, running, failed: true };
  // RFC 8305 §5: a failure starts the next address at once.
  return { ...state, lanes, nextAt: Math.min(state.nextAt, now) };
}

/** The families in turn, the first one first; what was started stays first. */
function inOrder(
  lanes: readonly Lane[],
  { first }: EyeballsConfig,
): readonly Lane[] {
  const begun = lanes.filter(({ started }) => started > 0);
  const fresh = lanes.filter(({ started }) => started === 0);
  const other: Family = first === "v6" ? "v4" : "v6";
  // After one of the first family it is the other's turn.
  const lead = begun.at(-1)?.family === first ? other : first;
  const a = fresh.filter(({ family }) => family === lead);
  const b = fresh.filter(({ family }) => family !== lead);
  const turns = Array.from(
    { length: Math.max(a.length, b.length) },
    (_, i) => [a[i], b[i]],
  ).flat().filter((lane) => lane !== undefined);
  return [...begun, ...turns];
}

/** Opens what is due. */
function advance(state: Eyeballs, now: number): EyeballsStep {
  const { config } = state;
  const lanes = [...state.lanes];
  const actions: EyeballsAction[] = [];
  let { nextAt, nextAttempt } = state;
  const wakes: number[] = [];
  const open = () => lanes.reduce((n, { running }) => n + running.length, 0);
  const start = (index: number): void => {
    const lane = lanes[index]!;
    const { address, family } = lane;
    const attempt = nextAttempt++;
    lanes[index] = {
      ...{ ...lane, started: lane.started + 1, startedAt: now },
      running: [...lane.running, attempt],
    };
    actions.push({ type: "open", attempt, address, family });
  };
  const gateAt = gateOf(state);
  const fresh = lanes.findIndex(({ started }) => started === 0);
  if (fresh >= 0) {
    const at = Math.max(nextAt, gateAt ?? now);
    if (now < at) wakes.push(at);
    else if (open() < config.socketsMax) {
      start(fresh);
      nextAt = now + config.staggerMs;
      if (fresh + 1 < lanes.length) wakes.push(nextAt);
    }
  }
  for (const [index, lane] of lanes.entries()) {
    if (!mayHedge(lane, config)) continue;
    const at = lane.startedAt + hedgeAfter(lane.started, config);
    if (now < at) wakes.push(at);
    else if (open() < config.socketsMax) {
      start(index);
      wakes.push(now + hedgeAfter(lanes[index]!.started, config));
    }
  }
  const over = state.asking.length === 0 &&
    lanes.every((lane) => lane.failed && lane.running.length === 0);
  if (over) {
    return {
      state: { ...state, lanes, outcome: "lost" },
      ...{ actions: [], wakeAt: undefined },
    };
  }
  return {
    state: { ...state, lanes, nextAt, nextAttempt },
    actions,
    wakeAt: wakes.length === 0 ? undefined : Math.min(...wakes),
  };
}

/** When the first address may start; `undefined`: now. */
function gateOf(
  { lanes, asking, config, gateAt }: Eyeballs,
): number | undefined {
  if (!asking.includes(config.first)) return undefined;
  return lanes.some(({ started }) => started > 0) ? undefined : gateAt;
}

function mayHedge(lane: Lane, { hedgesMax }: EyeballsConfig): boolean {
  return lane.started > 0 && lane.started <= hedgesMax && !lane.answered &&
    !lane.failed;
}

function hedgeAfter(started: number, { hedgeMs }: EyeballsConfig): number {
  return hedgeMs * 2 ** Math.max(0, started - STEADY_HEDGES);
}
