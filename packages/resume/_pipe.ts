/** Moves bytes between a stream's core and the transport of the day. */
import { type Alarm, type Alarms, alarms, idleAlarms } from "./_alarms.ts";
import { writeAll } from "./_handshake_io.ts";
import { closeQuietly, sayLast } from "./_last_word.ts";
import type { Position, StreamCore } from "./_stream_core.ts";
import { resetFrame } from "./_notice.ts";
import { ProtocolViolation, RESET } from "./_wire.ts";
import type { Chunk } from "./_receive_buffer.ts";
import type { DetachReason } from "./events.ts";
import type { Transport } from "./transport.ts";

export { closeQuietly } from "./_last_word.ts";

// What a waiting session holds for its next read; it grows under load.
const READ_BYTES_MIN = 256;
const READ_BYTES_MAX = 128 * 1024;
// So many reads in a row that fill little make the next ones smaller: memory of
// another size cannot be used again, and a busy stream would allocate for ever.
const SMALL_READS = 8;
// How long an end that is done waits for the other to hang up first: closing
// with bytes unread would destroy the last acknowledgement on its way.
const LINGER_MS = 1000;
const BUSY_LOOK_MS = 5;

/** A transport whose handshake is done. */
export interface Attachment {
  readonly transport: Transport;
  readonly peer: Position;
  readonly told: Position;
  /** What the handshake read beyond its last record. */
  readonly rest: Uint8Array<ArrayBuffer>;
}

/** What a pipe tells its owner; the same functions for all, as each costs memory. */
export interface PipeHooks<Owner> {
  /** Reads or writes may go on. */
  progress(owner: Owner): void;
  /** Some time has passed. */
  tick(owner: Owner): void;
  /** The transport is gone. */
  detached(owner: Owner, reason: DetachReason, error: unknown): void;
  /** Both ends have what they need; the transport is closed. */
  finished(owner: Owner): void;
  /** The session cannot go on. */
  failed(owner: Owner, error: unknown, reset: number | undefined): void;
}

/** See the module's comment. */
export class Pipe<Owner> implements Alarm {
  readonly core: StreamCore;
  readonly #owner: Owner;
  readonly #hooks: PipeHooks<Owner>;
  #transport: Transport | undefined;
  // Work of an older transport finds another number here, and stops.
  #generation = 0;
  #writing = false;
  #pumping: Promise<void> | undefined;
  #lastWord: Promise<void> | undefined;
  /** When to look again; see {@linkcode Alarm}. */
  at: number = Infinity;
  slot: number = -1;
  #lingering = false;
  #referenced = true;

  constructor(core: StreamCore, owner: Owner, hooks: PipeHooks<Owner>) {
    this.core = core;
    this.#owner = owner;
    this.#hooks = hooks;
  }

  get transport(): Transport | undefined {
    return this.#transport;
  }

  /**
   * Goes on over a new transport. The old one must be detached.
   *
   * @throws {ProtocolViolation} When the peer claims what cannot be; then it was told.
   */
  attach(attachment: Attachment): void {
    const { transport, peer, told, rest } = attachment;
    const generation = ++this.#generation;
    this.#transport = transport;
    this.#writing = false;
    this.#lingering = false;
    try {
      this.core.attach(peer, told, performance.now());
    } catch (error) {
      // It is this pipe's already: nobody else would close it.
      this.reset(RESET.protocol);
      throw error;
    }
    if (!this.#referenced) this.#unrefTransport();
    if (rest.length > 0) {
      this.#take(generation, { bytes: rest, references: 0 }, rest.length);
    } else this.kick();
    void this.#readLoop(generation, transport);
  }

  /** Lets go of the transport; nothing it still delivers counts. */
  detach(): void {
    this.#generation++;
    const transport = this.#transport;
    if (transport === undefined) return;
    this.#transport = undefined;
    this.core.detach();
    this.#alarms.clear(this);
    closeQuietly(transport);
  }

  /**
   * Says, as well as it can be said, that the session is over: after the write
   * that is under way, or the peer would take it for a cut and come back.
   */
  reset(code: number): void {
    const transport = this.#transport;
    if (transport === undefined) return;
    this.#transport = undefined;
    this.#generation++;
    this.core.detach();
    this.#alarms.clear(this);
    const writing = this.#writing ? this.#pumping : undefined;
    this.#lastWord = sayLast(transport, resetFrame(code), writing);
  }

  /** Settles once what {@linkcode reset} says was said, or cannot be said. */
  get lastWord(): Promise<void> | undefined {
    return this.#lastWord;
  }

  /** Sends what there is to send. Cheap when there is nothing. */
  kick(): void {
    const transport = this.#transport;
    if (this.#writing || transport === undefined) return;
    const bytes = this.core.output(performance.now());
    if (bytes === undefined) return this.#settle();
    this.#writing = true;
    // A write may never end: the clock that finds a dead path must run by then.
    if (this.at === Infinity) this.#arm(this.core.wakeAt(performance.now()));
    this.#pumping = this.#pump(this.#generation, transport, bytes);
  }

  async #pump(
    generation: number,
    transport: Transport,
    first: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    let bytes: Uint8Array<ArrayBuffer> | undefined = first;
    try {
      while (bytes !== undefined) {
        await writeAll(transport, bytes);
        if (generation !== this.#generation) return;
        bytes = this.core.output(performance.now());
      }
    } catch (error) {
      return this.#lose(generation, "transport-failed", error);
    }
    this.#writing = false;
    this.#settle();
  }

  async #readLoop(
    generation: number,
    transport: Transport,
  ): Promise<void> {
    let size = READ_BYTES_MIN;
    let small = 0;
    let chunk: Chunk | undefined;
    try {
      while (generation === this.#generation) {
        chunk = this.core.chunk(size, chunk);
        const n = await transport.read(chunk.bytes);
        if (generation !== this.#generation) return;
        if (n === null) return this.#hungUp(generation);
        this.#take(generation, chunk, n);
        if (n >= size / 8) small = 0;
        if (n === size) size = Math.min(size * 8, READ_BYTES_MAX);
        else if (n < size / 8 && ++small === SMALL_READS) {
          small = 0;
          size = Math.max(size / 2, READ_BYTES_MIN);
        }
      }
    } catch (error) {
      this.#lose(generation, "transport-failed", error);
    }
  }

  #take(generation: number, chunk: Chunk, n: number): void {
    try {
      this.core.receive(chunk, n, performance.now());
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.reset(RESET.protocol);
      return this.#hooks.failed(this.#owner, error, undefined);
    }
    if (this.core.resetCode !== undefined) {
      this.detach();
      return this.#hooks.failed(this.#owner, undefined, this.core.resetCode);
    }
    this.#hooks.progress(this.#owner);
    if (generation === this.#generation) this.kick();
  }

  #hungUp(generation: number): void {
    if (this.core.done) this.#finish();
    else this.#lose(generation, "peer-hung-up", undefined);
  }

  #lose(generation: number, reason: DetachReason, error: unknown): void {
    if (generation !== this.#generation) return;
    const done = this.core.done;
    this.detach();
    if (done) this.#hooks.finished(this.#owner);
    else this.#hooks.detached(this.#owner, reason, error);
  }

  #finish(): void {
    this.detach();
    this.#hooks.finished(this.#owner);
  }

  // After all was said: is it over, and if not, when to look again?
  #settle(): void {
    if (this.core.done && this.core.closed) return this.#finish();
    if (this.core.done && !this.#lingering) {
      this.#lingering = true;
      return this.#arm(performance.now() + LINGER_MS);
    }
    const at = this.core.wakeAt(performance.now());
    if (at < this.at) this.#arm(at);
  }

  get #alarms(): Alarms {
    return this.#referenced ? alarms : idleAlarms;
  }

  #arm(at: number): void {
    this.#alarms.set(this, at);
  }

  /** The time has come to look: see {@linkcode Alarm}. */
  ring(): void {
    this.at = Infinity;
    this.#hooks.tick(this.#owner);
    if (this.#transport === undefined) return;
    if (this.#lingering && this.core.done) return this.#finish();
    // A heartbeat's worth of silence: what a busy stream kept for reuse goes.
    if (this.core.quiet(performance.now())) this.core.shrink();
    if (this.core.dead(performance.now())) {
      return this.#lose(this.#generation, "silent", undefined);
    }
    // A pump that is stuck in a write settles by itself once it goes on; until
    // then the clock must keep running, or a dead path would never be found.
    if (this.#writing) {
      // What is overdue cannot be said now; look again in a little while.
      const again = performance.now() + BUSY_LOOK_MS;
      this.#arm(Math.max(again, this.core.wakeAt(again)));
    } else this.kick();
  }

  /** Whether the program waits for it. */
  get referenced(): boolean {
    return this.#referenced;
  }

  /** Lets the program end, or not, while the stream is idle. */
  setReferenced(referenced: boolean): void {
    const { at, slot } = this;
    this.#alarms.clear(this);
    this.#referenced = referenced;
    if (slot >= 0) this.#arm(at);
    if (referenced) this.#refTransport();
    else this.#unrefTransport();
  }

  #refTransport(): void {
    (this.#transport as Partial<Deno.Conn> | undefined)?.ref?.();
  }

  #unrefTransport(): void {
    (this.#transport as Partial<Deno.Conn> | undefined)?.unref?.();
  }
}
