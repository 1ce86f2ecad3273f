/**
 * Alarms for thousands of streams on one timer: each `setTimeout` costs more
 * than a kilobyte (measured in Deno 2.9), and an idle stream has little else.
 */
import { setTimerReferenced } from "./_deno.ts";
import { type Alarm, AlarmHeap } from "./_alarm_heap.ts";

export type { Alarm } from "./_alarm_heap.ts";

// As far ahead as one timer can be set; later alarms take several.
const TIMER_MS_MAX = 2 ** 31 - 1;

/** See the module's comment; the program waits for its alarms, or does not. */
export class Alarms {
  readonly #heap = new AlarmHeap();
  readonly #keepsAlive: boolean;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #ringing = false;

  constructor(keepsAlive: boolean) {
    this.#keepsAlive = keepsAlive;
  }

  /** Sets it, or sets it to another time. */
  set(alarm: Alarm, at: number): void {
    this.#heap.set(alarm, at);
    this.#arm();
  }

  /** It will not ring. Nothing happens if it is not set. */
  clear(alarm: Alarm): void {
    this.#heap.clear(alarm);
    // Moved only when it would ring for nobody: streams set theirs later and
    // later, and a timer that comes early costs less than one that is replaced.
    if (this.#heap.size === 0) this.#stop();
  }

  #arm(): void {
    const at = this.#heap.next;
    if (this.#ringing || this.#timerAt <= at) return;
    this.#stop();
    this.#timerAt = at;
    const ms = Math.max(0, Math.min(at - performance.now(), TIMER_MS_MAX));
    this.#timer = setTimeout(() => this.#ring(), ms);
    if (!this.#keepsAlive) setTimerReferenced(this.#timer, false);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  #ring(): void {
    this.#stop();
    this.#ringing = true;
    try {
      this.#heap.ring(performance.now());
    } finally {
      this.#ringing = false;
      this.#arm();
    }
  }
}

/** Alarms of streams that the program waits for. */
export const alarms: Alarms = new Alarms(true);
/** Alarms of streams that it does not wait for: see `ResumableConn.unref`. */
export const idleAlarms: Alarms = new Alarms(false);
