/**
 * How large a packet a broker takes. MQTT 5 brokers say so; others close the
 * connection, and a client that repeats the packet loops for ever. Pure.
 */

/** Closing this soon after a large packet looks like an answer to it. */
const BLAME_MS = 1_500;
/** Smaller packets are never blamed: every broker takes them. */
const BLAME_BYTES_MIN = 1_024;
/** How often it must happen, one time after the other. */
const BLAME_TIMES = 2;
/** How long what was learned holds: a broker may be set up anew. */
const LEARNED_MS = 600_000;

/** What is known of a broker's limit. */
export interface LimitState {
  readonly learned?: { readonly bytes: number; readonly untilMs: number };
  /** The largest packet that was sent in this connection lately. */
  readonly last?: { readonly bytes: number; readonly atMs: number };
  readonly times: number;
}

/** Nothing is known. */
export const NO_LIMIT: LimitState = { times: 0 };

/** A packet was handed over. */
export function sentPacket(
  state: LimitState,
  bytes: number,
  now: number,
): LimitState {
  if (bytes < BLAME_BYTES_MIN) return state;
  const { last } = state;
  const kept = last !== undefined && now - last.atMs < BLAME_MS &&
    last.bytes > bytes;
  return kept ? state : { ...state, last: { bytes, atMs: now } };
}

/** The broker ended the connection: one that only stands still is not blamed. */
export function lostLink(state: LimitState, now: number): LimitState {
  const { last, times, ...rest } = state;
  if (last === undefined || now - last.atMs > BLAME_MS) {
    return { ...rest, times: 0 };
  }
  if (times + 1 < BLAME_TIMES) return { ...rest, times: times + 1 };
  return {
    learned: { bytes: last.bytes - 1, untilMs: now + LEARNED_MS },
    times: 0,
  };
}

/** The largest packet that may be sent; `Infinity` when none is known. */
export function limitOf(state: LimitState, now: number): number {
  const { learned } = state;
  return learned !== undefined && now < learned.untilMs
    ? learned.bytes
    : Infinity;
}
