/**
 * What has been sent and not yet acknowledged. Pure: time comes in as `now`
 * (milliseconds, any origin), jitter by `delayMs`; a shell does the actions
 * and steps with `tick` at `wakeAt`.
 */

/** What rules an outbox. */
export interface OutboxRules {
  /**
   * How far the numbers of one lane's unacknowledged messages may spread. At
   * most the receiver's window: past it a retransmission would look stale to
   * the peer, and be lost.
   */
  readonly spreadMax: number;
  /** The pause after each attempt, from 0. */
  readonly delayMs: (attempt: number) => number;
}

interface Entry {
  readonly deadline: number;
  attempt: number;
  dueAt: number;
}

interface Pending {
  // In the order of the numbers, so that the first one is the oldest.
  readonly entries: Map<number, Entry>;
  // From this number on entries wait until older ones are out of the way.
  heldFrom: number;
  highest: number;
}

/** Changed in place by {@linkcode step}; make it with {@linkcode openOutbox}. */
export interface OutboxState {
  readonly rules: OutboxRules;
  readonly lanes: Map<string, Pending>;
  size: number;
  // Never later than the next thing to do. It may be earlier: to find the next
  // one again after each acknowledgement would cost a look at every entry.
  wakeAt: number;
}

/** One message, by its lane and its number. */
export interface MessageKey {
  /** One peer and one epoch of ours: what a window at the peer covers. */
  readonly lane: string;
  readonly sequence: number;
}

/** What can happen to an outbox. */
export type OutboxInput =
  /** The numbers of a lane must rise. */
  | MessageKey & { readonly type: "send"; readonly deadline: number }
  | {
    readonly type: "ack";
    readonly lane: string;
    readonly sequences: readonly number[];
  }
  | MessageKey & { readonly type: "cancel" }
  | { readonly type: "broker-up"; readonly broker: string }
  | { readonly type: "tick" };

/** Why a message is published. */
export type PublishReason = "new" | "retransmit" | "broker-up";

/** What the shell has to do. */
export type OutboxAction =
  | MessageKey & {
    readonly type: "publish";
    readonly reason: PublishReason;
    /** Only to this one; to all that are connected when absent. */
    readonly broker?: string;
  }
  | MessageKey & {
    readonly type: "settle";
    readonly outcome: "acknowledged" | "expired" | "cancelled";
  };

/** What one step gives. */
export interface OutboxStep {
  readonly actions: readonly OutboxAction[];
  /** When to step with `tick`; `Infinity` for never. */
  readonly wakeAt: number;
}

/** An outbox with nothing in it. */
export function openOutbox(rules: OutboxRules): OutboxState {
  return { rules, lanes: new Map(), size: 0, wakeAt: Infinity };
}

/** Takes one input. */
export function step(
  state: OutboxState,
  input: OutboxInput,
  now: number,
): OutboxStep {
  const actions: OutboxAction[] = [];
  switch (input.type) {
    case "send":
      add(state, input, now, actions);
      break;
    case "ack":
      for (const sequence of input.sequences) {
        remove(state, { lane: input.lane, sequence }, "acknowledged", actions);
      }
      release(state, input.lane, now, actions);
      break;
    case "cancel":
      remove(state, input, "cancelled", actions);
      release(state, input.lane, now, actions);
      break;
    case "broker-up":
      repeatTo(state, input.broker, now, actions);
      break;
    case "tick":
      tick(state, now, actions);
      break;
  }
  return { actions, wakeAt: state.wakeAt };
}

function add(
  state: OutboxState,
  { lane, sequence, deadline }: MessageKey & { readonly deadline: number },
  now: number,
  actions: OutboxAction[],
): void {
  let pending = state.lanes.get(lane);
  if (pending === undefined) {
    pending = { entries: new Map(), heldFrom: sequence, highest: 0 };
    state.lanes.set(lane, pending);
  }
  pending.entries.set(sequence, { deadline, attempt: 0, dueAt: Infinity });
  pending.highest = sequence;
  state.size++;
  state.wakeAt = Math.min(state.wakeAt, deadline);
  release(state, lane, now, actions);
}

function remove(
  state: OutboxState,
  { lane, sequence }: MessageKey,
  outcome: "acknowledged" | "expired" | "cancelled",
  actions: OutboxAction[],
): void {
  // Acknowledged twice, or after its time: nothing is left to do.
  if (!state.lanes.get(lane)?.entries.delete(sequence)) return;
  state.size--;
  actions.push({ type: "settle", lane, sequence, outcome });
}

/** Publishes what need not wait any longer for older messages. */
function release(
  state: OutboxState,
  lane: string,
  now: number,
  actions: OutboxAction[],
): void {
  const pending = state.lanes.get(lane);
  if (pending === undefined) return;
  const [oldest] = pending.entries.keys();
  if (oldest === undefined) {
    state.lanes.delete(lane);
    return;
  }
  const end = Math.min(oldest + state.rules.spreadMax, pending.highest + 1);
  for (let sequence = pending.heldFrom; sequence < end; sequence++) {
    const entry = pending.entries.get(sequence);
    if (entry === undefined) continue;
    actions.push({ type: "publish", lane, sequence, reason: "new" });
    schedule(state, entry, now);
  }
  pending.heldFrom = Math.max(pending.heldFrom, end);
}

function repeatTo(
  state: OutboxState,
  broker: string,
  now: number,
  actions: OutboxAction[],
): void {
  for (const [lane, pending] of state.lanes) {
    for (const [sequence, entry] of pending.entries) {
      if (sequence >= pending.heldFrom) break;
      actions.push({
        type: "publish",
        lane,
        sequence,
        broker,
        reason: "broker-up",
      });
      // The peer may come back a moment later than we do: from now on often.
      entry.attempt = 0;
      const { dueAt } = entry;
      schedule(state, entry, now);
      entry.dueAt = Math.min(entry.dueAt, dueAt);
    }
  }
}

function tick(state: OutboxState, now: number, actions: OutboxAction[]): void {
  state.wakeAt = Infinity;
  for (const [lane, pending] of state.lanes) {
    for (const [sequence, entry] of pending.entries) {
      if (entry.deadline <= now) {
        remove(state, { lane, sequence }, "expired", actions);
        continue;
      }
      if (entry.dueAt <= now) {
        actions.push({ type: "publish", lane, sequence, reason: "retransmit" });
        entry.attempt++;
        schedule(state, entry, now);
      }
      state.wakeAt = Math.min(state.wakeAt, entry.dueAt, entry.deadline);
    }
    release(state, lane, now, actions);
  }
}

function schedule(state: OutboxState, entry: Entry, now: number): void {
  entry.dueAt = now + state.rules.delayMs(entry.attempt);
  state.wakeAt = Math.min(state.wakeAt, entry.dueAt);
}
