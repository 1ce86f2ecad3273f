/** One end of the world of `world.ts`: a real core, and its program. */
import type { CoreOptions } from "../_core_state.ts";
import { StreamCore } from "../_stream_core.ts";
import type { Link } from "./world.ts";

const PERIOD = 65_536;

/** The byte that end `side` writes at a stream offset. */
export const at = (side: number, offset: number): number =>
  (offset * 31 + (offset >>> 8) + side * 101) & 0xff;

const TABLES = [0, 1].map((side) =>
  Uint8Array.from({ length: 2 * PERIOD }, (_, i) => at(side, i))
);

/** Fails, and says which invariant and where. */
export function hold(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

function same(bytes: Uint8Array, side: number, from: number, what: string) {
  const table = TABLES[side]!;
  const start = from % PERIOD;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== table[start + i]) {
      throw new Error(`${what}: wrong byte ${from + i} of end ${side}`);
    }
  }
}

const scratch = new Uint8Array(PERIOD);

/** Something to be done at a time of the end's own clock. */
export type Timer = { readonly at: number; readonly run: () => void };

/** How an end came to be over. */
export type Outcome = "closed" | "expired" | "gone";

/** One end with its shell and program; checks at every step what it can see. */
export class End {
  core: StreamCore;
  readonly side: number;
  readonly options: CoreOptions;
  read = 0;
  eof = false;
  closed = false;
  over: Outcome | undefined;
  link: Link | undefined;
  /** What the transport was given and has not taken. */
  pending: Uint8Array | undefined;
  lingering = false;
  readonly timers: Map<string, Timer> = new Map();
  /** Its clock, less the time of the world. */
  clock = 0;
  detachedAt = 0;
  #ended = false;
  #high: readonly number[] = [0, 0, 0];

  constructor(side: number, options: CoreOptions) {
    this.side = side;
    this.options = options;
    this.core = new StreamCore(options);
  }

  write(n: number): void {
    if (this.#ended || this.core.broken) return;
    const start = this.core.written % PERIOD;
    this.core.write(TABLES[this.side]!.subarray(start, start + n));
    const buffered = this.core.written - this.core.acked;
    hold(buffered <= this.options.sendMax, "I13: beyond the cap");
  }

  consume(n: number): void {
    if (this.closed) return;
    const into = scratch.subarray(0, n);
    const got = this.core.read(into);
    if (got === null) {
      hold(this.core.arrived === this.read, "I14: the end before a byte");
      this.eof = true;
      return;
    }
    hold(!this.eof || got === 0, "I14: data after the end");
    same(into.subarray(0, got), 1 - this.side, this.read, "I1/I2: read");
    this.read += got;
  }

  closeWrite(): void {
    this.#ended = true;
    this.core.closeWrite();
  }

  close(): void {
    this.#ended = this.closed = true;
    this.core.close();
  }

  /** Moves to another process: export, and a fresh core from it. */
  move(): void {
    this.check();
    const state = structuredClone(this.core.export());
    this.core = new StreamCore(this.options, state);
    // What the program of the new process does again, if it has to.
    if (this.closed && !this.core.closed) this.core.close();
    this.check();
  }

  /** What holds of one end at any time. */
  check(): void {
    const { core } = this;
    const { unacked, unread, sentMax: sent } = core.export();
    const { acked, arrived, written } = core;
    hold(unacked.length === written - acked, `I4: keeps ${unacked.length}`);
    same(unacked, this.side, acked, "I4: kept");
    hold(unread.length <= this.options.window, "I13: beyond the window");
    if (!this.closed) {
      hold(core.consumed === this.read, "I2: read and counted bytes differ");
      same(unread, 1 - this.side, core.consumed, "I1/I2: arrived");
    }
    hold(acked <= sent && sent <= written, `I3: ${acked} ${sent} ${written}`);
    hold(core.resetCode === undefined, "I20: a reset out of nothing");
    const now = [acked, arrived, sent];
    hold(now.every((n, i) => n >= this.#high[i]!), "I3: a position went back");
    this.#high = now;
  }

  checkAgainst(peer: End): void {
    this.check();
    const { acked, written } = this.core;
    const { arrived, receivedMark } = peer.core;
    hold(acked <= arrived, `I3: ${acked} acknowledged, ${arrived} received`);
    hold(arrived <= written, `I3: ${arrived} received, ${written} written`);
    hold(receivedMark <= written + Number(this.#ended), "I14: an unsaid end");
  }
}
