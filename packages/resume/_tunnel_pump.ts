/** Carries bytes between a program's own connection and its session. */
import { letGo } from "./_descriptors.ts";
import type { LocalConn } from "./tunnel_options.ts";
import type { ResumableConn } from "./resumable_conn.ts";

// What a quiet connection holds for its next read, and what a busy one reads at
// once: measured, 256 KiB cost a twelfth more of a processor's time, and 64 KiB a
// fifth of the throughput.
const CHUNK_BYTES_MIN = 4 * 1024;
const CHUNK_BYTES_MAX = 1024 * 1024;
// So many reads in a row that fill little make the memory for the next smaller.
const SMALL_READS = 8;

interface Half {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
}

/** Where one direction stands, for another process to go on from. */
export interface FlowState {
  /** What was read, and not written yet. */
  readonly pending: Uint8Array<ArrayBuffer>;
  /** Whether the one that sends has said all. */
  readonly ended: boolean;
  /** Whether the other one was told so. */
  readonly finished: boolean;
}

/** Where each direction begins. */
export const NEW_FLOW: FlowState = {
  pending: new Uint8Array(0),
  ended: false,
  finished: false,
};

/**
 * One direction. Reads only what was written: a program that does not read
 * stops the one that writes, at the other end of the tunnel, and nothing piles
 * up between.
 */
export class Flow {
  /** Bytes that went through. */
  bytes = 0;
  #pending: Uint8Array<ArrayBuffer>;
  #ended: boolean;
  #finished: boolean;

  constructor({ pending, ended, finished }: FlowState = NEW_FLOW) {
    this.#pending = pending;
    this.#ended = ended;
    this.#finished = finished;
  }

  /** Where it stands: exact in a turn in which nothing else runs. */
  get state(): FlowState {
    const [pending, ended] = [this.#pending.slice(), this.#ended];
    return { pending, ended, finished: this.#finished };
  }

  /** Whether there is nothing left to do. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Carries all there is, to the end. */
  async run(from: Half, to: Half): Promise<void> {
    if (this.#finished) return;
    await this.#write(to);
    if (!this.#ended) await this.#carry(from, to);
    await closeWrite(to);
    this.#finished = true;
  }

  async #carry(from: Half, to: Half): Promise<void> {
    let buffer = new Uint8Array(CHUNK_BYTES_MIN);
    let small = 0;
    for (let n; (n = await from.read(buffer)) !== null;) {
      this.#pending = buffer.subarray(0, n);
      await this.#write(to);
      const { length } = buffer;
      small = n < length / 8 ? small + 1 : 0;
      if (n === length && length < CHUNK_BYTES_MAX) {
        buffer = new Uint8Array(length * 4);
      } else if (small === SMALL_READS && length > CHUNK_BYTES_MIN) {
        buffer = new Uint8Array(length / 4);
        small = 0;
      }
    }
    this.#ended = true;
  }

  async #write(to: Half): Promise<void> {
    while (this.#pending.length > 0) {
      const n = await to.write(this.#pending);
      this.#pending = this.#pending.subarray(n);
      this.bytes += n;
    }
  }
}

// Another process may have done it already, just before it ended.
async function closeWrite(to: Half): Promise<void> {
  try {
    await to.closeWrite();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotConnected)) throw error;
  }
}

/** Both directions of a connection. */
export interface Flows {
  /** From the program to the session. */
  readonly out: Flow;
  /** From the session to the program. */
  readonly in: Flow;
}

/**
 * Both directions, each to its own end: a program that has said all may still
 * listen. An end that breaks ends the other one as well, and not as if it had
 * said all.
 *
 * @param ready Resolves when the session's own bytes begin.
 */
export async function splice(
  local: LocalConn,
  session: ResumableConn,
  flows: Flows,
  ready: Promise<void> = Promise.resolve(),
): Promise<void> {
  const out = flows.out.run(local, session);
  const back = ready.then(() => flows.in.run(session, local));
  let failed = true;
  try {
    await Promise.all([out, back]);
    failed = false;
  } finally {
    if (failed) {
      session.abort();
      if (local.reset === undefined) closeLocal(local);
      else local.reset();
      await Promise.allSettled([out, back]);
    }
  }
  session.close();
  closeLocal(local);
}

/** Closes it, whatever became of it. */
export function closeLocal(local: LocalConn): void {
  letGo(local);
  try {
    local.close();
  } catch {
    // The other direction has ended it already.
  }
}
