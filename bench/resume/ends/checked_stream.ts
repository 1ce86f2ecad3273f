/**
 * A stream of numbered records in both directions at full speed, of which every
 * byte is checked.
 */
import { Buffer } from "node:buffer";
import type { ResumableConn } from "@holdfast/resume";

const RECORD_BYTES = 8 * 1024;
const NUMBER_BYTES = 8;
const RECORDS_A_WRITE = 8;
const FINISH_MS = 10_000;

/** What all records hold after their number: the same noise on both ends. */
function makeBody(): Buffer {
  const body = Buffer.alloc(RECORD_BYTES - NUMBER_BYTES);
  let state = 1;
  for (let i = 0; i < body.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    body[i] = state >>> 24;
  }
  return body;
}

const BODY = makeBody();
// Long enough to be found once in a record, and nowhere by chance.
const START = BODY.subarray(0, 32);

/** Which records arrived, and how often. */
export class RecordLog {
  readonly #record = Buffer.alloc(RECORD_BYTES);
  #filled = 0;
  #times = new Uint8Array(1024);
  /** Records that arrived once or more. */
  distinct = 0;
  /** Records that arrived again. */
  duplicated = 0;
  /** Records that arrived changed, or not whole. */
  corrupt = 0;

  /** Takes bytes as they come. */
  feed(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const n = Math.min(bytes.length - at, RECORD_BYTES - this.#filled);
      this.#record.set(bytes.subarray(at, at + n), this.#filled);
      this.#filled += n;
      at += n;
      if (this.#filled === RECORD_BYTES) this.#take();
    }
  }

  #take(): void {
    const record = this.#record;
    if (record.compare(BODY, 0, BODY.length, NUMBER_BYTES) !== 0) {
      this.corrupt++;
      return this.#resync();
    }
    this.#filled = 0;
    const number = Number(record.readBigUInt64BE());
    if (number >= this.#times.length) {
      const longer = new Uint8Array(Math.max(number + 1, number * 2));
      longer.set(this.#times);
      this.#times = longer;
    }
    const times = this.#times[number]!++;
    if (times === 0) this.distinct++;
    else this.duplicated++;
  }

  // Bytes are missing or doubled: goes on at the next record that begins here.
  #resync(): void {
    const body = this.#record.indexOf(START, NUMBER_BYTES + 1);
    const at = body < 0
      ? RECORD_BYTES - START.length - NUMBER_BYTES
      : body - NUMBER_BYTES;
    this.#record.copyWithin(0, at);
    this.#filled = RECORD_BYTES - at;
  }
}

/** What one end received, after the other one stopped. */
export interface CheckReport {
  readonly distinct: number;
  readonly duplicated: number;
  readonly corrupt: number;
  readonly bytes: number;
  /** Why the stream ended early, if it did. */
  readonly error: string | undefined;
}

/** See the module's comment. */
export class CheckedStream {
  readonly #conn: ResumableConn;
  readonly #log = new RecordLog();
  readonly #writing: Promise<void>;
  readonly #reading: Promise<void>;
  #stopped = false;
  #written = 0;
  #error: string | undefined;

  constructor(conn: ResumableConn) {
    this.#conn = conn;
    const failed = (error: unknown): void => void (this.#error ??= `${error}`);
    this.#writing = this.#write().catch(failed);
    this.#reading = this.#read().catch(failed);
  }

  async #write(): Promise<void> {
    const block = Buffer.alloc(RECORD_BYTES * RECORDS_A_WRITE);
    for (let i = 0; i < RECORDS_A_WRITE; i++) {
      block.set(BODY, i * RECORD_BYTES + NUMBER_BYTES);
    }
    while (!this.#stopped) {
      for (let i = 0; i < RECORDS_A_WRITE; i++) {
        block.writeBigUInt64BE(BigInt(this.#written + i), i * RECORD_BYTES);
      }
      // Counted before: what was begun must arrive.
      this.#written += RECORDS_A_WRITE;
      for (let at = 0; at < block.length;) {
        at += await this.#conn.write(block.subarray(at));
      }
    }
    await this.#conn.closeWrite();
  }

  async #read(): Promise<void> {
    const into = new Uint8Array(64 * 1024);
    for (;;) {
      const n = await this.#conn.read(into);
      if (n === null) return;
      this.#log.feed(into.subarray(0, n));
    }
  }

  // A stream that hangs is told as what it did not carry.
  async #finished(work: Promise<void>, what: string): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#error ??= `${what} did not end within ${FINISH_MS} ms`;
      resolve();
    }, FINISH_MS);
    await Promise.race([work, late]);
    clearTimeout(timer);
  }

  /** Ends the sending direction; resolves with how many records went there. */
  async stopWriting(): Promise<number> {
    this.#stopped = true;
    await this.#finished(this.#writing, "writing");
    return this.#written;
  }

  /** Resolves once the other end stopped and all of it arrived. */
  async report(): Promise<CheckReport> {
    await this.#finished(this.#reading, "reading");
    // Not abort(): the other end may still be reading what this one wrote.
    this.#conn[Symbol.dispose]();
    const { distinct, duplicated, corrupt } = this.#log;
    const bytes = distinct * RECORD_BYTES;
    return { distinct, duplicated, corrupt, bytes, error: this.#error };
  }
}
