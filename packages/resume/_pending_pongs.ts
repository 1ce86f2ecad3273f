/** The PINGs of a peer that wait for their answers. */

// Of more the oldest go without, so that a flood of them costs nothing.
const PENDING_MAX = 4;

/** Each PING asks for something of its own: none answers for another. */
export class PendingPongs {
  readonly #ids: number[] = [];

  /** Whether there is something to answer. */
  get any(): boolean {
    return this.#ids.length > 0;
  }

  /** A PING came. */
  ping(id: number): void {
    if (this.#ids.includes(id)) return;
    if (this.#ids.length === PENDING_MAX) this.#ids.shift();
    this.#ids.push(id);
  }

  /** What is to be answered now, the oldest first. */
  take(): number[] {
    return this.#ids.splice(0);
  }
}
