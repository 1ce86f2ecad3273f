/** Messages that arrived and were not read yet, as a row of bytes. */

// What a message costs beside its bytes; without it a peer that sends millions
// of one-byte messages would use far more memory than it seems.
const MESSAGE_OVERHEAD_BYTES = 512;
// How many read messages may stand before the first unread one.
const READ_MAX = 256;

/** See the module's comment. */
export class MessageBuffer {
  readonly #max: number;
  #messages: Uint8Array<ArrayBuffer>[] = [];
  // The first unread message, and how much of it was read.
  #first = 0;
  #at = 0;
  #held = 0;

  /** `max` bounds the memory, in bytes. */
  constructor(max: number) {
    this.#max = max;
  }

  /** How much memory it holds, in bytes. */
  get held(): number {
    return this.#held;
  }

  /** Takes a message, unless that would pass the bound; an empty one costs nothing. */
  add(message: Uint8Array<ArrayBuffer>): boolean {
    if (message.length === 0) return true;
    const held = this.#held + message.length + MESSAGE_OVERHEAD_BYTES;
    if (held > this.#max) return false;
    this.#held = held;
    this.#messages.push(message);
    return true;
  }

  /** Moves bytes out, over the borders of messages; 0 when there are none. */
  read(into: Uint8Array): number {
    let n = 0;
    while (n < into.length && this.#first < this.#messages.length) {
      const message = this.#messages[this.#first]!;
      const part = message.subarray(this.#at, this.#at + into.length - n);
      into.set(part, n);
      n += part.length;
      this.#at += part.length;
      if (this.#at === message.length) this.#next(message.length);
    }
    return n;
  }

  #next(length: number): void {
    this.#held -= length + MESSAGE_OVERHEAD_BYTES;
    this.#at = 0;
    this.#first++;
    if (this.#first === this.#messages.length) this.clear();
    else if (this.#first > READ_MAX) {
      this.#messages = this.#messages.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Drops everything. */
  clear(): void {
    this.#messages = [];
    this.#first = 0;
    this.#at = 0;
    this.#held = 0;
  }
}
