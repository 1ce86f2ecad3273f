/** Which alarm comes next, of many; no clock and no timer in here. */

/** Something that is to be called at a time, at most one at once. */
export interface Alarm {
  /** When, on the clock of `performance.now`; `Infinity` for never. */
  at: number;
  /** Where the heap keeps it; below 0 while it is not set. Starts as -1. */
  slot: number;
  /** Called once the time has come, with the alarm no longer set. */
  ring(): void;
}

// Taken out of the heap, to ring within this turn.
const DUE = -2;

/** A binary heap whose members know their place, so that each can be moved. */
export class AlarmHeap {
  readonly #heap: Alarm[] = [];

  /** How many are set. */
  get size(): number {
    return this.#heap.length;
  }

  /** When the next one is to ring; `Infinity` for none. */
  get next(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  /** Sets it, or sets it to another time. */
  set(alarm: Alarm, at: number): void {
    alarm.at = at;
    if (alarm.slot < 0) {
      alarm.slot = this.#heap.length;
      this.#heap.push(alarm);
    }
    this.#settle(alarm);
  }

  /** It will not ring. Nothing happens if it is not set. */
  clear(alarm: Alarm): void {
    const { slot } = alarm;
    alarm.at = Infinity;
    alarm.slot = -1;
    if (slot < 0) return;
    const last = this.#heap.pop()!;
    if (last === alarm) return;
    last.slot = slot;
    this.#settle(last);
  }

  /**
   * Rings all that are due by now. What a ring sets, even for now, waits for
   * another call, and what it clears does not ring. If one throws, those after
   * it are set as they were.
   */
  ring(now: number): void {
    const due = this.#takeDue(now);
    try {
      for (const alarm of due) {
        if (alarm.slot !== DUE) continue;
        alarm.slot = -1;
        alarm.ring();
      }
    } finally {
      for (const alarm of due) {
        if (alarm.slot === DUE) this.set(alarm, alarm.at);
      }
    }
  }

  #takeDue(now: number): Alarm[] {
    const due: Alarm[] = [];
    while (this.next <= now) {
      const alarm = this.#heap[0]!;
      const { at } = alarm;
      this.clear(alarm);
      alarm.at = at;
      alarm.slot = DUE;
      due.push(alarm);
    }
    return due;
  }

  #settle(alarm: Alarm): void {
    this.#down(alarm, this.#up(alarm, alarm.slot));
  }

  #put(alarm: Alarm, slot: number): void {
    this.#heap[slot] = alarm;
    alarm.slot = slot;
  }

  #up(alarm: Alarm, from: number): number {
    let slot = from;
    while (slot > 0) {
      const parent = (slot - 1) >>> 1;
      const other = this.#heap[parent]!;
      if (other.at <= alarm.at) break;
      this.#put(other, slot);
      slot = parent;
    }
    return slot;
  }

  #down(alarm: Alarm, from: number): void {
    let slot = from;
    for (;;) {
      let child = 2 * slot + 1;
      const right = this.#heap[child + 1];
      if (right !== undefined && right.at < this.#heap[child]!.at) child++;
      const other = this.#heap[child];
      if (other === undefined || other.at >= alarm.at) break;
      this.#put(other, slot);
      slot = child;
    }
    this.#put(alarm, slot);
  }
}
