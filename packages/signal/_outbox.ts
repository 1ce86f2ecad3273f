/**
 * What has been sent and not yet acknowledged. Pure: time comes in as `now`
 * (milliseconds, any origin), jitter by `delayMs`; a shell does the actions
 * and steps with `tick` at `wakeAt`. It knows how many ways there are, and not
 * which: the shell chooses the broker of each step.
 */
import type {
  MessageKey,
  OutboxAction,
  OutboxInput,
  OutboxRules,
  OutboxStep,
  PublishReason,
  SendMode,
} from "./_outbox_types.ts";

interface Entry {
  readonly deadline: number;
  readonly mode: SendMode;
  readonly hedgeMs: number;
  /** How many brokers there are to hedge over. */
  readonly ways: number;
  attempt: number;
  rung: number;
  publishedAt: number;
  dueAt: number;
}

interface Pending {
  // In the order of the numbers, so that the first one is the oldest.
  readonly entries: Map<number, Entry>;
  // From this number on entries wait until older ones are out of the way.
  heldFrom: number;
  highest: number;
  /** When an acknowledgement last told something new. */
  progressAt: number;
  /** The highest number that was acknowledged. */
  acknowledged: number;
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
    case "ack": {
      const pending = state.lanes.get(input.lane);
      for (const sequence of pending?.entries.keys() ?? []) {
        if (!input.has(sequence)) continue;
        remove(state, { lane: input.lane, sequence }, "acknowledged", actions);
        pending!.progressAt = now;
        pending!.acknowledged = Math.max(pending!.acknowledged, sequence);
      }
      release(state, input.lane, now, actions);
      break;
    }
    case "cancel":
      remove(state, input, "cancelled", actions);
      release(state, input.lane, now, actions);
      break;
    case "broker-up":
      for (const [lane, pending] of state.lanes) {
        if (!input.uses(lane)) continue;
        repeat(state, lane, pending, input.broker, now, actions);
      }
      break;
    case "broker-lost":
      for (const [lane, pending] of state.lanes) {
        for (const [sequence, entry] of pending.entries) {
          if (sequence >= pending.heldFrom) break;
          if (!input.lost({ lane, sequence })) continue;
          again(entry, { lane, sequence }, actions);
          entry.publishedAt = now;
          wait(state, entry, now);
        }
      }
      break;
    case "session": {
      const pending = state.lanes.get(input.lane);
      if (pending !== undefined) {
        repeat(state, input.lane, pending, undefined, now, actions);
      }
      break;
    }
    case "tick":
      tick(state, now, actions);
      break;
  }
  return { actions, wakeAt: state.wakeAt };
}

function add(
  state: OutboxState,
  input: OutboxInput & { readonly type: "send" },
  now: number,
  actions: OutboxAction[],
): void {
  const { lane, sequence, deadline, mode, hedgeMs, ways } = input;
  let pending = state.lanes.get(lane);
  if (pending === undefined) {
    pending = {
      ...{ entries: new Map(), heldFrom: sequence, highest: 0 },
      ...{ progressAt: -Infinity, acknowledged: 0 },
    };
    state.lanes.set(lane, pending);
  }
  pending.entries.set(sequence, {
    ...{ deadline, mode, hedgeMs, ways },
    ...{ attempt: 0, rung: 0, publishedAt: -Infinity, dueAt: Infinity },
  });
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
    begin(state, entry, { lane, sequence }, "new", now, actions);
  }
  pending.heldFrom = Math.max(pending.heldFrom, end);
}

/** The first step, or once more the first. */
function begin(
  state: OutboxState,
  entry: Entry,
  key: MessageKey,
  reason: PublishReason,
  now: number,
  actions: OutboxAction[],
): void {
  const to = entry.mode === "always" ? "all" : "one";
  actions.push({ type: "publish", ...key, reason, to });
  entry.attempt = 0;
  entry.rung = 1;
  entry.publishedAt = now;
  wait(state, entry, now);
}

/** To a broker that has nothing yet, or under other keys. */
function repeat(
  state: OutboxState,
  lane: string,
  pending: Pending,
  broker: string | undefined,
  now: number,
  actions: OutboxAction[],
): void {
  for (const [sequence, entry] of pending.entries) {
    if (sequence >= pending.heldFrom) break;
    const key = { lane, sequence };
    if (broker === undefined) {
      begin(state, entry, key, "session", now, actions);
      continue;
    }
    // What is on its way by another broker need not go by this one as well.
    if (
      entry.mode !== "always" && now - entry.publishedAt < entry.hedgeMs
    ) continue;
    actions.push({
      ...{ type: "publish", ...key, reason: "broker-up", to: { broker } },
    });
    // The peer may come back a moment later than we do: from now on often.
    entry.attempt = 0;
    entry.publishedAt = now;
    const { dueAt } = entry;
    wait(state, entry, now);
    entry.dueAt = Math.min(entry.dueAt, dueAt);
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
      if (entry.dueAt <= now && mayClimb(pending, sequence, entry, now)) {
        again(entry, { lane, sequence }, actions);
        entry.publishedAt = now;
        wait(state, entry, now);
      }
      state.wakeAt = Math.min(state.wakeAt, entry.dueAt, entry.deadline);
    }
    release(state, lane, now, actions);
  }
}

/**
 * Whether a message that is due is late because its broker is, and not because
 * there is much to do: then acknowledgements come, only not yet this one, and
 * more copies would make it worse. One that was passed by later ones is lost.
 */
function mayClimb(
  pending: Pending,
  sequence: number,
  entry: Entry,
  now: number,
): boolean {
  if (!climbs(entry) || sequence < pending.acknowledged) return true;
  const silentFrom = pending.progressAt + entry.hedgeMs;
  if (silentFrom <= now) return true;
  entry.dueAt = silentFrom;
  return false;
}

function climbs({ mode, rung, ways }: Entry): boolean {
  return mode === "hedge" && rung < ways;
}

function again(
  entry: Entry,
  key: MessageKey,
  actions: OutboxAction[],
): void {
  if (climbs(entry)) {
    entry.rung++;
    actions.push({ type: "publish", ...key, reason: "hedge", to: "one" });
    return;
  }
  entry.attempt++;
  const to = entry.mode === "single" ? "one" : "all";
  actions.push({ type: "publish", ...key, reason: "retransmit", to });
}

function wait(state: OutboxState, entry: Entry, now: number): void {
  entry.dueAt = now +
    (climbs(entry) ? entry.hedgeMs : state.rules.delayMs(entry.attempt));
  state.wakeAt = Math.min(state.wakeAt, entry.dueAt);
}
