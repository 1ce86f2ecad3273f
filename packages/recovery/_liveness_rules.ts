/**
 * Whether the path of a connection is dead. Pure: what the kernel and the
 * heartbeat say comes in with the time, the verdict comes out.
 */

/** What the kernel says of a connection. */
export interface KernelWord {
  /** Segments that were sent and not acknowledged. */
  readonly unacked: number;
  /** How often the oldest of them was sent again in vain, in a row. */
  readonly backoff: number;
}

/** Why a path is taken for dead. */
export type DeadReason = "unacknowledged" | "heartbeat-missed";

/** What is known between two looks. */
export interface LivenessState {
  /** When data was first seen to wait in vain; `undefined`: it does not. */
  readonly waitingSince: number | undefined;
  /** When the heartbeat under way began; `undefined`: none is. */
  readonly beatingSince: number | undefined;
  readonly lookedAt: number;
}

/** How long each may take, in milliseconds. */
export interface LivenessRules {
  readonly deadlineMs: number;
  readonly lookMs: number;
}

/** What was seen in one look. */
export interface Look {
  /** `undefined` where the kernel cannot be asked. */
  readonly kernel: KernelWord | undefined;
  /** Whether a heartbeat is under way. */
  readonly beating: boolean;
}

/** A look this late was late because the program stood still or slept. */
const STALL_MS = 1_000;

/** Nothing is known yet. */
export function openLiveness(now: number): LivenessState {
  return { waitingSince: undefined, beatingSince: undefined, lookedAt: now };
}

/** Takes one look. */
export function stepLiveness(
  state: LivenessState,
  look: Look,
  now: number,
  rules: LivenessRules,
): readonly [LivenessState, DeadReason | undefined] {
  const { kernel, beating } = look;
  // What was waited for meanwhile may have come: it gets its time again.
  const stalled = now - state.lookedAt > rules.lookMs + STALL_MS;
  const vain = kernel !== undefined && kernel.unacked > 0 && kernel.backoff > 0;
  const waitingSince = !vain
    ? undefined
    : stalled
    ? now
    : state.waitingSince ?? now;
  const beatingSince = !beating
    ? undefined
    : stalled
    ? now
    : state.beatingSince ?? now;
  const next = { waitingSince, beatingSince, lookedAt: now };
  // The first time-out has passed by the time that it is seen, so two in a row
  // are enough: the kernel has asked three times by then.
  const asked = vain && kernel.backoff >= 2 && !stalled;
  if (asked || isOver(waitingSince, now, rules)) {
    return [next, "unacknowledged"];
  }
  if (isOver(beatingSince, now, rules)) return [next, "heartbeat-missed"];
  return [next, undefined];
}

function isOver(
  since: number | undefined,
  now: number,
  { deadlineMs }: LivenessRules,
): boolean {
  return since !== undefined && now - since >= deadlineMs;
}

/** The name of a connection: both ends, without zones and IPv4 in IPv6. */
export function pairsOf(from: string, to: string): string {
  return [from, to].map((text) =>
    text.replace(/%[^\]:]*/, "").replace(/\[::ffff:([0-9.]+)\]/i, "$1")
  ).join(" ");
}

/** What `ss -tinHO` says of each connection, by {@linkcode pairsOf}. */
export function readSsRows(text: string): ReadonlyMap<string, KernelWord> {
  const rows = new Map<string, KernelWord>();
  for (const line of text.split("\n")) {
    const [, , , from, to] = line.trim().split(/\s+/);
    const word = readSs(line);
    if (from === undefined || to === undefined || word === undefined) continue;
    rows.set(pairsOf(from, to), word);
  }
  return rows;
}

/** What `ss -tinHO` says of the one connection that it was asked for. */
export function readSs(text: string): KernelWord | undefined {
  const line = text.split("\n").find((line) => line.trim() !== "");
  if (line === undefined) return undefined;
  const number = (pattern: RegExp): number =>
    Number(pattern.exec(line)?.[1] ?? 0);
  // Without a way out the kernel counts what it has as not sent, though the
  // other side has room; one that is frozen has none, and is not dead.
  const stuck = number(/\bsnd_wnd:(\d+)/) > 0 ? number(/\bnotsent:(\d+)/) : 0;
  return {
    unacked: Math.max(number(/\bunacked:(\d+)/), Math.min(1, stuck)),
    backoff: number(/\bbackoff:(\d+)/),
  };
}
