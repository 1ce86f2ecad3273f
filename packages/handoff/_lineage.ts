/**
 * The processes before this one that still finish their work, and the one
 * after it. The control channel stays open after an upgrade: down it goes how
 * many are draining, up it comes that the oldest should hurry; its end is the
 * end of a process.
 */
import { encodeMessage } from "./_frames.ts";
import type { ControlChannel } from "./spawned.ts";

/** See the top of the file. */
export class Lineage {
  /** Aborted when this process should end at once, cutting what is open. */
  readonly hurried: AbortController = new AbortController();
  readonly #onChange: (draining: number) => void;
  #ancestors = 0;
  #before: ControlChannel | undefined;
  #after: ControlChannel | undefined;
  #changed: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(onChange: (draining: number) => void) {
    this.#onChange = onChange;
  }

  /** How many predecessors still finish their work. */
  get draining(): number {
    return this.#ancestors;
  }

  /** The predecessor's channel, from the moment on that this process serves. */
  descendFrom(control: ControlChannel): void {
    this.#before = control;
    this.setAncestors(1);
  }

  /** The successor's channel, from the moment on that it serves. */
  precede(control: ControlChannel): void {
    this.#after = control;
    this.#tell();
  }

  /** The predecessor says how many are draining; 0 when it has ended. */
  setAncestors(count: number): void {
    if (count === this.#ancestors) return;
    this.#ancestors = count;
    if (count === 0) {
      closeOnce(this.#before);
      this.#before = undefined;
    }
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    this.#onChange(count);
    this.#tell();
  }

  /** The successor wants somebody to end: the oldest. */
  hurry(): void {
    if (this.#before === undefined) return this.hurried.abort();
    this.#before.write(encodeMessage({ type: "hurry" })).catch(() => {});
  }

  /** Waits until at most `max` are draining, hurrying the oldest. */
  async atMost(
    max: number,
    signal: AbortSignal,
    hurry: boolean = true,
  ): Promise<boolean> {
    const stop = Promise.withResolvers<void>();
    const onAbort = (): void => stop.resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    while (this.#ancestors > max && !signal.aborted) {
      if (hurry) this.hurry();
      await Promise.race([this.#changed.promise, stop.promise]);
    }
    signal.removeEventListener("abort", onAbort);
    return this.#ancestors <= max;
  }

  close(): void {
    closeOnce(this.#before);
    this.#before = undefined;
    closeOnce(this.#after);
    this.#after = undefined;
  }

  #tell(): void {
    const draining = Math.min(255, this.#ancestors + 1);
    this.#after?.write(encodeMessage({ type: "draining", draining }))
      .catch(() => {});
  }
}

/** The channel may be closed already, with the take-over that opened it. */
export function closeOnce(control: ControlChannel | undefined): void {
  try {
    control?.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
