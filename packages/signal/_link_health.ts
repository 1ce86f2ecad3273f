/**
 * Whether a broker that says nothing still lives. MQTT.js finds out after
 * 1.5 times the keepalive, which by default is a minute and a half. Pure: time
 * comes in as `now`; a shell sends the pings and steps with `tick` at `wakeAt`.
 */

/** Milliseconds that rule the judgement. */
export interface HealthRules {
  /** Something was sent and nothing came for so long: ask. */
  readonly trafficMs: number;
  /** Nothing was sent and nothing came for so long: ask. */
  readonly idleMs: number;
  /** No answer for so long: suspect. */
  readonly answerMs: number;
  /** No answer for so long: dead. */
  readonly deadMs: number;
  /** As `deadMs`, when the network is said to have changed: at the most. */
  readonly probeMs: number;
}

/**
 * A broker is suspected within 0.9 s of traffic. When idle it is asked every
 * 15 s, a packet that costs others something too; the first message after a
 * silent death goes over another broker, so nothing is lost by that.
 */
export const HEALTH_RULES: HealthRules = {
  trafficMs: 400,
  idleMs: 15_000,
  answerMs: 500,
  deadMs: 4_000,
  probeMs: 1_500,
};

/** As {@linkcode HEALTH_RULES}, for the only broker that is up. */
export const LAST_ONE_RULES: HealthRules = { ...HEALTH_RULES, idleMs: 8_500 };

/** The least time for an answer after a change of the network. */
const PROBE_MS_MIN = 400;
/** A broker that was near stays so, but for the first packets of a new way. */
const PROBE_RTTS = 8;

/**
 * The rules of one link. After a change of the network its connection is mostly
 * dead, and all that comes next waits for the verdict: a broker that used to
 * answer at once gets less time.
 *
 * @param rttMs How long it took to answer; undefined where that is not known.
 */
export function rulesOf(
  isLast: boolean,
  rttMs: number | undefined,
): HealthRules {
  const rules = isLast ? LAST_ONE_RULES : HEALTH_RULES;
  if (rttMs === undefined) return rules;
  const probeMs = Math.min(rules.probeMs, PROBE_MS_MIN + PROBE_RTTS * rttMs);
  return { ...rules, probeMs };
}

/** A tick this late was late because the program stood still, not the broker. */
const STALL_MS = 1_000;

/** What is known of a link that is up. */
export interface HealthState {
  readonly heardAt: number;
  /** When something was sent that nothing has followed; `Infinity`: never. */
  readonly sentAt: number;
  /** When the ping was sent that waits for its answer; `Infinity`: none does. */
  readonly askedAt: number;
  /** When the link is given up if nothing comes. */
  readonly deadAt: number;
  readonly suspect: boolean;
}

/** What happened. */
export type HealthInput = "heard" | "sent" | "probe" | "tick";

/** What to do; `cleared` takes `suspect` back. */
export type HealthAction = "ping" | "suspect" | "cleared" | "dead";

/** What follows. */
export interface HealthStep {
  readonly state: HealthState;
  readonly actions: readonly HealthAction[];
  /** When to step with `tick`. */
  readonly wakeAt: number;
}

/** A link that has just come up. */
export function openHealth(now: number): HealthState {
  return {
    heardAt: now,
    sentAt: Infinity,
    askedAt: Infinity,
    deadAt: Infinity,
    suspect: false,
  };
}

/** Takes one input. */
export function stepHealth(
  state: HealthState,
  input: HealthInput,
  now: number,
  rules: HealthRules,
): HealthStep {
  switch (input) {
    case "heard":
      return done(openHealth(now), state.suspect ? ["cleared"] : [], rules);
    case "sent":
      return done({ ...state, sentAt: Math.min(state.sentAt, now) }, [], rules);
    case "probe": {
      const deadAt = Math.min(state.deadAt, now + rules.probeMs);
      if (state.askedAt !== Infinity) {
        return done({ ...state, deadAt }, [], rules);
      }
      return done({ ...state, askedAt: now, deadAt }, ["ping"], rules);
    }
    case "tick":
      return tick(state, now, rules);
  }
}

function tick(
  state: HealthState,
  now: number,
  rules: HealthRules,
): HealthStep {
  const due = wakeAt(state, rules);
  if (now < due) return done(state, [], rules);
  const ask = (): HealthStep =>
    done({ ...state, askedAt: now, deadAt: now + rules.deadMs }, [
      "ping",
    ], rules);
  // Its answer may lie unread: the program slept or stood still.
  if (state.askedAt === Infinity || now - due > STALL_MS) return ask();
  if (now >= state.deadAt) return done(state, ["dead"], rules);
  if (state.suspect || now < state.askedAt + rules.answerMs) {
    return done(state, [], rules);
  }
  return done({ ...state, suspect: true }, ["suspect"], rules);
}

function wakeAt(state: HealthState, rules: HealthRules): number {
  const { heardAt, sentAt, askedAt, deadAt, suspect } = state;
  if (askedAt === Infinity) {
    return Math.min(sentAt + rules.trafficMs, heardAt + rules.idleMs);
  }
  return suspect ? deadAt : Math.min(deadAt, askedAt + rules.answerMs);
}

function done(
  state: HealthState,
  actions: readonly HealthAction[],
  rules: HealthRules,
): HealthStep {
  return { state, actions, wakeAt: wakeAt(state, rules) };
}
