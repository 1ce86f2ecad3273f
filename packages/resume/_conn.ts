import { Emitter, EventReader } from "@holdfast/events/emitter";
import { type Alarm, alarms } from "./_alarms.ts";
import type { ConnOwner, SessionIdentity } from "./_conn_owner.ts";
import { commitPoint, noCommit } from "./_commit_point.ts";
import { readableOf, writableOf } from "./_conn_streams.ts";
import {
  addressText,
  badResource,
  brokenPipe,
  errorText,
  interrupted,
} from "./_deno.ts";
import type { Notice } from "./_notice.ts";
import { whyFailed } from "./_why_failed.ts";
import { type Attachment, Pipe, type PipeHooks } from "./_pipe.ts";
import type { CoreState, StreamCore } from "./_stream_core.ts";
import type { StreamCut } from "./store.ts";
import { Waiting } from "./_waiting.ts";
import { RESET } from "./_wire.ts";
import { ResumeError, type ResumeErrorCode } from "./errors.ts";
import type { DetachReason, ResumeEvent } from "./events.ts";
import type {
  ResumableConn,
  ResumableState,
  ResumableStats,
} from "./resumable_conn.ts";

const SLOW_AFTER_MS = 1_000;
const LAST_CALL_MS = 1_000;
/**
 * The shell of {@linkcode ResumableConn}. What the interface does not name is
 * for the session layer: `attach`, `fence`, `lose`, `suspend`.
 */
export class Conn extends EventReader<ResumeEvent> implements ResumableConn {
  readonly sid: string;
  readonly keyId: Uint8Array<ArrayBuffer>;
  readonly restored: boolean;
  appState: Uint8Array<ArrayBuffer> | undefined;
  readonly #emitter: Emitter<ResumeEvent>;
  readonly core: StreamCore;
  readonly #pipe: Pipe<Conn>;
  readonly #owner: ConnOwner;
  readonly #reads = new Waiting<number | null>();
  readonly #writes = new Waiting<number>();
  #state: ResumableState;
  #error: ResumeError | undefined;
  #committed: number;
  #over = false;
  // Made for whoever asks: most connections of a server are never asked.
  #closed: PromiseWithResolvers<void> | undefined;
  #local: Deno.Addr | undefined;
  #remote: Deno.Addr | undefined;
  #replayed = 0;
  #resumed = 0;
  #longestPauseMs = 0;
  #blockedSince: number | undefined;
  #toldSlow: number | undefined;
  #told: PromiseWithResolvers<void> | undefined;
  readonly #failsWhenDetached: boolean;
  #lastCall: Alarm | undefined;
  #wakeWriters: (() => void) | undefined;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #writable: WritableStream<Uint8Array<ArrayBufferLike>> | undefined;

  constructor(
    core: StreamCore,
    identity: SessionIdentity,
    owner: ConnOwner,
    onListenerError: ((error: unknown) => void) | undefined,
  ) {
    const emitter = new Emitter<ResumeEvent>({ onListenerError });
    super(emitter);
    this.#emitter = emitter;
    this.core = core;
    this.#owner = owner;
    this.sid = identity.sid;
    this.keyId = identity.keyId;
    this.restored = identity.restored;
    this.appState = identity.appState;
    this.#committed = core.consumed;
    this.#failsWhenDetached = identity.failsWhenDetached ?? false;
    const since = performance.now();
    this.#state = { name: "detached", reason: "suspended", since };
    this.#pipe = new Pipe(core, this, Conn.#HOOKS);
  }

  static readonly #HOOKS: PipeHooks<Conn> = {
    progress: (conn) => conn.#progress(),
    tick: (conn) => conn.#tick(),
    detached: (conn, reason, error) => conn.#detached(reason, error),
    finished: (conn) => conn.#end("closed", undefined),
    failed: (conn, error, reset) => conn.#failed(error, reset),
  };

  get closed(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = Promise.withResolvers();
      if (this.#over) this.#closed.resolve(this.#pipe.lastWord);
    }
    return this.#closed.promise;
  }

  /** Whether nothing can happen to it any more. */
  get over(): boolean {
    return this.#over;
  }

  get state(): ResumableState {
    return this.#state;
  }

  get localAddr(): Deno.Addr {
    return this.#local ?? { transport: "tcp", hostname: "0.0.0.0", port: 0 };
  }

  get remoteAddr(): Deno.Addr {
    return this.#remote ?? { transport: "tcp", hostname: "0.0.0.0", port: 0 };
  }

  get bytesWritten(): number {
    return this.core.written;
  }

  get bytesRead(): number {
    return this.core.consumed;
  }

  stats(): ResumableStats {
    return {
      written: this.core.written,
      acked: this.core.acked,
      arrived: this.core.arrived,
      consumed: this.core.consumed,
      replayed: this.#replayed,
      resumed: this.#resumed,
      longestPauseMs: this.#longestPauseMs,
    };
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.core.closed) return Promise.reject(badResource());
    if (into.length === 0) return Promise.resolve(0);
    const attempt = () => this.#tryRead(into);
    const now = this.#reads.busy ? undefined : attempt();
    if (now !== undefined) return Promise.resolve(now);
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return this.#reads.add(attempt);
  }

  #tryRead(into: Uint8Array): number | null | undefined {
    if (this.#state.name === "suspended") return undefined;
    const n = this.core.read(into);
    if (n === 0) return undefined;
    if (!this.#over) {
      this.#owner.changed?.();
      this.#pipe.kick();
    }
    return n;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.core.closed) return Promise.reject(badResource());
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.core.broken) return Promise.reject(brokenPipe());
    if (bytes.length === 0) return Promise.resolve(0);
    const attempt = () => this.#tryWrite(bytes);
    const now = this.#writes.busy ? undefined : attempt();
    return now !== undefined
      ? Promise.resolve(now)
      : this.#waitToWrite(attempt);
  }

  #tryWrite(bytes: Uint8Array): number | undefined {
    const n = this.core.write(bytes);
    if (n === 0) {
      // Full by itself, or because others are: then they will say.
      this.core.onRoom(this.#wakeWriters ??= this.#makeWakeWriters());
      return undefined;
    }
    this.#blockedSince = undefined;
    this.#owner.changed?.();
    this.#pipe.kick();
    return n;
  }

  // In a turn of its own: who gives memory back is in the middle of something.
  #makeWakeWriters(): () => void {
    return () =>
      queueMicrotask(() => {
        if (!this.#over) this.#writes.retry();
      });
  }

  #waitToWrite(attempt: () => number | undefined): Promise<number> {
    if (this.#failsWhenDetached && this.#state.name === "detached") {
      return Promise.reject(this.#bufferFull());
    }
    this.#blockedSince ??= performance.now();
    return this.#writes.add(attempt);
  }

  #bufferFull(): ResumeError {
    return this.#makeError(
      "resume/buffer-full",
      `${this.core.written - this.core.acked} bytes wait for a transport`,
    );
  }

  closeWrite(): Promise<void> {
    if (this.core.closed) return Promise.reject(badResource());
    if (this.#error !== undefined) return Promise.reject(this.#error);
    this.core.closeWrite();
    this.#writes.reject(brokenPipe);
    this.#owner.changed?.();
    this.#pipe.kick();
    return Promise.resolve();
  }

  commit(offset: number, appState: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.core.closed) return Promise.reject(badResource());
    if (this.#error !== undefined) return Promise.reject(this.#error);
    let point: StreamCut;
    try {
      point = commitPoint(this.core.cut(), this.#committed, offset);
    } catch (error) {
      return Promise.reject(error);
    }
    // As it is now: it is recorded a little later, and belongs to the offset.
    const state = appState.slice();
    const done = this.#owner.commit?.(point, state);
    if (done === undefined) return Promise.reject(noCommit());
    this.#committed = offset;
    this.appState = state;
    return done;
  }

  /** A store has it: it may be sent and acknowledged. */
  safe(cut: StreamCut): void {
    if (this.#over) return;
    this.core.safe(cut);
    this.#pipe.kick();
  }

  close(): void {
    if (this.core.closed) throw badResource();
    this.core.close();
    this.#reads.reject(interrupted);
    this.#writes.reject(interrupted);
    if (this.#over) return;
    this.#owner.changed?.();
    this.#pipe.kick();
    if (this.#state.name === "detached") this.#endSoon();
  }

  // Nothing can be lost any more: only so long is a transport waited for, to
  // tell the peer.
  #endSoon(): void {
    if (!this.core.delivered) return;
    if (this.core.done) return this.#end("closed", undefined);
    const ring = (): void => this.#end("closed", undefined);
    this.#lastCall = { at: Infinity, slot: -1, ring };
    alarms.set(this.#lastCall, performance.now() + LAST_CALL_MS);
  }

  abort(): void {
    if (this.#over) return;
    this.core.close();
    this.#reads.reject(interrupted);
    this.#writes.reject(interrupted);
    this.#pipe.reset(RESET.shutdown);
    this.#end("closed", undefined);
  }

  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= readableOf(this);
  }

  get writable(): WritableStream<Uint8Array<ArrayBufferLike>> {
    return this.#writable ??= writableOf(this);
  }

  ref(): void {
    this.#pipe.setReferenced(true);
  }

  unref(): void {
    this.#pipe.setReferenced(false);
  }
  /** Whether the program waits for it. */
  get referenced(): boolean {
    return this.#pipe.referenced;
  }

  [Symbol.dispose](): void {
    if (!this.core.closed) this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]();
    await this.closed;
  }

  /** Lets go of the transport, if there is one. */
  fence(reason: DetachReason): void {
    if (this.#pipe.transport === undefined) return;
    this.#pipe.detach();
    this.#detached(reason, undefined);
  }

  /** Ends the connection early. */
  lose(code: ResumeErrorCode, message: string, cause?: unknown): void {
    this.#end(code, this.#makeError(code, message, cause));
  }

  /** Ends it with a last word to the peer. */
  shutDown(reset: number, code: ResumeErrorCode, message: string): void {
    this.#pipe.reset(reset);
    this.lose(code, message);
  }

  /** Tells the peer something ahead of time. */
  notify(notice: Notice): void {
    this.core.notify(notice);
    this.#pipe.kick();
  }

  /** Resolves once it has heard that, or cannot hear it over this transport. */
  told(): Promise<void> {
    if (this.#over || !this.core.telling) return Promise.resolve();
    this.#told ??= Promise.withResolvers();
    return this.#told.promise;
  }

  /** The peer ended it, as it proves, when it had received up to this mark. */
  gone(mark: number): void {
    if (this.core.concluded(mark)) return this.#end("closed", undefined);
    const bytes = Math.min(mark, this.core.written);
    this.lose(
      "resume/gone",
      `the peer ended it after receiving ${bytes} bytes`,
    );
  }

  /** Tells that a try to get a transport failed. */
  redialFailed(attempt: number, error: unknown, retryMs: number): void {
    const why = errorText(error);
    this.#emitter.emit({ type: "redial-failed", attempt, error: why, retryMs });
  }

  /** Goes on over a new transport, under this epoch. */
  attach(attachment: Attachment, epoch: number): void {
    const { transport } = attachment;
    const before = this.#state;
    const acked = Math.min(attachment.peer.received, this.core.written);
    try {
      this.#pipe.attach(attachment);
    } catch (error) {
      return this.#failed(error, undefined);
    }
    if (this.#lastCall !== undefined) alarms.clear(this.#lastCall);
    this.#local = transport.localAddr;
    this.#remote = transport.remoteAddr;
    this.#state = { name: "attached", epoch };
    const where = {
      epoch,
      local: addressText(transport.localAddr),
      remote: addressText(transport.remoteAddr),
    };
    if (epoch === 1) {
      this.#emitter.emit({ type: "attached", ...where });
    } else {
      const pauseMs = before.name === "detached"
        ? performance.now() - before.since
        : 0;
      const replayedBytes = Math.max(0, this.core.replayTo - acked);
      this.#resumed++;
      this.#replayed += replayedBytes;
      this.#longestPauseMs = Math.max(this.#longestPauseMs, pauseMs);
      this.#emitter.emit({ type: "resumed", ...where, replayedBytes, pauseMs });
    }
    this.#progress();
  }

  #hasHeard(): void {
    this.#told?.resolve();
    this.#told = undefined;
  }

  #progress(): void {
    this.#noticed();
    if (!this.core.telling) this.#hasHeard();
    if (this.core.unsafe && !this.#over) this.#owner.changed?.();
    this.#reads.retry();
    if (this.core.broken) this.#writes.reject(brokenPipe);
    else this.#writes.retry();
  }

  // The peer takes nothing although the path lives: told once, until it does.
  #tick(): void {
    const since = this.#blockedSince;
    if (since === undefined || this.#toldSlow === since) return;
    const blockedMs = performance.now() - since;
    if (blockedMs < SLOW_AFTER_MS) return;
    this.#toldSlow = since;
    const pendingBytes = this.core.written - this.core.acked;
    this.#emitter.emit({ type: "slow", blockedMs, pendingBytes });
  }

  #noticed(): void {
    const notice = this.core.takeNotice();
    if (notice === undefined) return;
    this.#owner.noticed?.(notice);
    if (notice.kind === "moved") {
      this.#emitter.emit({ type: "peer-moved", to: notice.to });
    } else this.#emitter.emit({ type: "peer-draining" });
  }

  #detached(reason: DetachReason, error: unknown): void {
    if (this.#over) return;
    this.#state = { name: "detached", reason, since: performance.now() };
    this.#blockedSince = undefined;
    this.#hasHeard();
    if (this.#failsWhenDetached) this.#writes.reject(() => this.#bufferFull());
    this.#emitter.emit({
      type: "detached",
      reason,
      error: error instanceof Error ? error.message : undefined,
      pendingBytes: this.core.written - this.core.acked,
    });
    this.#owner.detached();
    if (!this.#over) this.#endSoon();
  }

  #failed(error: unknown, reset: number | undefined): void {
    const [code, message] = whyFailed(error, reset);
    this.#end(code, this.#makeError(code, message, error));
  }

  #makeError(
    code: ResumeErrorCode,
    message: string,
    cause?: unknown,
  ): ResumeError {
    return new ResumeError(
      code,
      `Cannot go on with session ${this.sid}: ${message}`,
      { cause, lastAckedOffset: this.core.acked },
    );
  }

  #end(reason: string, error: ResumeError | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#pipe.detach();
    if (error === undefined) {
      this.#state = { name: "closed" };
      this.#progress();
      this.#writes.reject(brokenPipe);
      this.#emitter.emit({ type: "closed" });
    } else {
      this.#state = { name: "lost", code: error.code };
      this.#reads.reject(() => error);
      this.#writes.reject(() => error);
      this.#emitter.emit({
        type: "lost",
        code: error.code,
        error: error.message,
        lastAckedOffset: this.core.acked,
      });
    }
    this.#release(reason);
  }

  /** Stops for good and gives what another process needs. */
  suspend(): CoreState {
    this.#pipe.detach();
    const state = this.core.export();
    this.#over = true;
    const message = "it was suspended, to go on in another process";
    this.#error = this.#makeError("resume/suspended", message);
    this.#state = { name: "suspended" };
    this.#reads.reject(() => this.#error);
    this.#writes.reject(() => this.#error);
    this.#release("suspended");
    return state;
  }

  #release(reason: string): void {
    if (this.#lastCall !== undefined) alarms.clear(this.#lastCall);
    this.core.leaveBudget();
    const wake = this.#wakeWriters;
    if (wake !== undefined) this.core.forgetRoom(wake);
    this.#owner.ended(reason);
    this.#closed?.resolve(this.#pipe.lastWord);
    this.#hasHeard();
    // Not now: inside a listener the last event still waits for its turn.
    queueMicrotask(() => this.#emitter[Symbol.dispose]());
  }
}
