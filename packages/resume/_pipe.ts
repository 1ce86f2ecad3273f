/** Moves bytes between a stream's core and the transport of the day. */
import { writeAll } from "./_handshake_io.ts";
import type { Position, StreamCore } from "./_stream_core.ts";
import { resetFrame } from "./_notice.ts";
import { ProtocolViolation, RESET } from "./_wire.ts";
import type { Chunk } from "./_receive_buffer.ts";
import type { DetachReason } from "./events.ts";
import type { Transport } from "./transport.ts";

// What a waiting session holds for its next read; it grows under load.
const READ_BYTES_MIN = 2 * 1024;
const READ_BYTES_MAX = 128 * 1024;
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

/** What a pipe tells its owner. */
export interface PipeHooks {
  /** Reads or writes may go on. */
  progress(): void;
  /** Some time has passed. */
  tick(): void;
  /** The transport is gone. */
  detached(reason: DetachReason, error: unknown): void;
  /** Both ends have what they need; the transport is closed. */
  finished(): void;
  /** The session cannot go on. */
  failed(error: unknown, reset: number | undefined): void;
}

/** See the module's comment. */
export class Pipe {
  readonly core: StreamCore;
  readonly #hooks: PipeHooks;
  #transport: Transport | undefined;
  // Work of an older transport finds another number here, and stops.
  #generation = 0;
  #writing = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #lingering = false;
  #referenced = true;

  constructor(core: StreamCore, hooks: PipeHooks) {
    this.core = core;
    this.#hooks = hooks;
  }

  get transport(): Transport | undefined {
    return this.#transport;
  }

  /** Goes on over a new transport. The old one must be detached. */
  attach(attachment: Attachment): void {
    const { transport, peer, told, rest } = attachment;
    const generation = ++this.#generation;
    this.core.attach(peer, told, performance.now());
    this.#transport = transport;
    this.#writing = false;
    this.#lingering = false;
    if (!this.#referenced) this.#unrefTransport();
    void this.#readLoop(generation, transport, rest);
  }

  /** Lets go of the transport; nothing it still delivers counts. */
  detach(): void {
    this.#generation++;
    const transport = this.#transport;
    if (transport === undefined) return;
    this.#transport = undefined;
    this.core.detach();
    clearTimeout(this.#timer);
    this.#timerAt = Infinity;
    closeQuietly(transport);
  }

  /** Says, as well as it can be said, that the session is over. */
  reset(code: number): void {
    const transport = this.#transport;
    if (transport !== undefined && !this.#writing) {
      transport.write(resetFrame(code)).catch(() => {}).finally(() =>
        closeQuietly(transport)
      );
      this.#transport = undefined;
      this.#generation++;
      this.core.detach();
      clearTimeout(this.#timer);
      return;
    }
    this.detach();
  }

  /** Sends what there is to send. Cheap when there is nothing. */
  kick(): void {
    const transport = this.#transport;
    if (this.#writing || transport === undefined) return;
    const bytes = this.core.output(performance.now());
    if (bytes === undefined) return this.#settle(this.#generation);
    this.#writing = true;
    // A write may never end: the clock that finds a dead path must run by then.
    if (this.#timerAt === Infinity) {
      this.#arm(this.#generation, this.core.wakeAt(performance.now()));
    }
    void this.#pump(this.#generation, transport, bytes);
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
    this.#settle(generation);
  }

  async #readLoop(
    generation: number,
    transport: Transport,
    rest: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    let size = READ_BYTES_MIN;
    let chunk: Chunk | undefined;
    try {
      if (rest.length > 0) {
        this.#take(generation, { bytes: rest, references: 0 }, rest.length);
      } else this.kick();
      while (generation === this.#generation) {
        chunk = this.core.chunk(size, chunk);
        const n = await transport.read(chunk.bytes);
        if (generation !== this.#generation) return;
        if (n === null) return this.#hungUp(generation);
        this.#take(generation, chunk, n);
        if (n === size) size = Math.min(size * 4, READ_BYTES_MAX);
        else if (n < size / 8) size = Math.max(size / 2, READ_BYTES_MIN);
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
      return this.#hooks.failed(error, undefined);
    }
    if (this.core.resetCode !== undefined) {
      this.detach();
      return this.#hooks.failed(undefined, this.core.resetCode);
    }
    this.#hooks.progress();
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
    if (done) this.#hooks.finished();
    else this.#hooks.detached(reason, error);
  }

  #finish(): void {
    this.detach();
    this.#hooks.finished();
  }

  // After all was said: is it over, and if not, when to look again?
  #settle(generation: number): void {
    if (this.core.done && this.core.closed) return this.#finish();
    if (this.core.done && !this.#lingering) {
      this.#lingering = true;
      this.#arm(generation, performance.now() + LINGER_MS);
      return;
    }
    const at = this.core.wakeAt(performance.now());
    if (at < this.#timerAt) this.#arm(generation, at);
  }

  #arm(generation: number, at: number): void {
    clearTimeout(this.#timer);
    this.#timerAt = at;
    const delayMs = Math.max(0, at - performance.now());
    this.#timer = setTimeout(() => this.#wake(generation), delayMs);
    if (!this.#referenced) Deno.unrefTimer(this.#timer as unknown as number);
  }

  #wake(generation: number): void {
    if (generation !== this.#generation) return;
    this.#timerAt = Infinity;
    this.#hooks.tick();
    if (this.#lingering && this.core.done) return this.#finish();
    // A heartbeat's worth of silence: what a busy stream kept for reuse goes.
    if (this.core.quiet(performance.now())) this.core.shrink();
    if (this.core.dead(performance.now())) {
      return this.#lose(generation, "silent", undefined);
    }
    // A pump that is stuck in a write settles by itself once it goes on; until
    // then the clock must keep running, or a dead path would never be found.
    if (this.#writing) {
      // What is overdue cannot be said now; look again in a little while.
      const again = performance.now() + BUSY_LOOK_MS;
      this.#arm(generation, Math.max(again, this.core.wakeAt(again)));
    } else this.kick();
  }

  /** Lets the program end, or not, while the stream is idle. */
  setReferenced(referenced: boolean): void {
    this.#referenced = referenced;
    if (this.#timer !== undefined) {
      const timer = this.#timer as unknown as number;
      if (referenced) Deno.refTimer(timer);
      else Deno.unrefTimer(timer);
    }
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

/** Closes a transport that may be closed already. */
export function closeQuietly(transport: { close(): void }): void {
  try {
    transport.close();
  } catch {
    // It was closed by whoever noticed first.
  }
}
