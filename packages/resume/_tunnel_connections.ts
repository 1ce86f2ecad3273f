/** The connections of one end of a tunnel: counted, told of, and ended. */
import { Emitter, EventReader } from "@holdfast/events/emitter";
import { addressText, errorText } from "./_deno.ts";
import { type Carried, closeLocal, splice } from "./_tunnel_pump.ts";
import { ResumeError } from "./errors.ts";
import type { ResumableConn } from "./resumable_conn.ts";
import type { TunnelEvent, TunnelStats } from "./tunnel_events.ts";
import type { LocalConn } from "./tunnel_options.ts";

/** One connection as it is being opened. */
export interface Opening {
  /** The program's own. */
  readonly local: LocalConn;
  /** Where it leads, as text. */
  readonly target: string;
  /** Where it comes from. */
  readonly from: Deno.Addr | undefined;
  /** Settles when the session's own bytes begin. */
  readonly ready?: Promise<void> | undefined;
}

/** What both ends of a tunnel are made of. */
export class TunnelConnections extends EventReader<TunnelEvent> {
  readonly #emitter: Emitter<TunnelEvent>;
  readonly #live = new Map<number, ResumableConn | undefined>();
  readonly #carried = new Map<number, Carried>();
  readonly #running = new Set<Promise<void>>();
  #total = 0;
  #failed = 0;
  #cuts = 0;
  #sent = 0;
  #received = 0;

  constructor(onListenerError: ((error: unknown) => void) | undefined) {
    const emitter = new Emitter<TunnelEvent>({ onListenerError });
    super(emitter);
    this.#emitter = emitter;
  }

  /** See {@linkcode TunnelStats}. */
  stats(): TunnelStats {
    let [paused, sentBytes, receivedBytes] = [0, this.#sent, this.#received];
    for (const session of this.#live.values()) {
      if (session?.state.name === "detached") paused++;
    }
    for (const carried of this.#carried.values()) {
      sentBytes += carried.out;
      receivedBytes += carried.in;
    }
    return {
      open: this.#live.size,
      paused,
      total: this.#total,
      failed: this.#failed,
      sentBytes,
      receivedBytes,
      cuts: this.#cuts,
    };
  }

  emit(event: TunnelEvent): void {
    this.#emitter.emit(event);
  }

  /** Resolves once no connection is left. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Ends every connection at once, and tells no more. */
  async end(): Promise<void> {
    for (const session of this.#live.values()) session?.abort();
    await this.settled();
    this.#emitter[Symbol.dispose]();
  }

  /**
   * Carries one connection for as long as it lives; `open` gets the two halves
   * of it, or nothing if it was none. Its failure is told of, and harms no
   * other one.
   *
   * @param local What is closed when it cannot be opened.
   */
  start(
    open: (
      opened: (session: ResumableConn) => void,
    ) => Promise<Opening | undefined>,
    local?: LocalConn,
  ): void {
    const id = ++this.#total;
    this.#live.set(id, undefined);
    const running = this.#run(id, open, local)
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #run(
    id: number,
    open: (
      opened: (session: ResumableConn) => void,
    ) => Promise<Opening | undefined>,
    local: LocalConn | undefined,
  ): Promise<void> {
    let session: ResumableConn | undefined;
    let cuts = 0;
    const carried: Carried = { out: 0, in: 0 };
    this.#carried.set(id, carried);
    try {
      const opening = await open((opened) => {
        session = opened;
        this.#live.set(id, opened);
        this.#listen(id, opened, () => cuts++);
      });
      if (opening === undefined) return;
      await this.#carry(id, session!, opening, carried);
      const { out: sentBytes, in: receivedBytes } = carried;
      await session!.closed;
      this.emit({
        type: "connection-closed",
        ...{ id, sentBytes, receivedBytes, cuts },
      });
    } catch (error) {
      session?.abort();
      if (local !== undefined) closeLocal(local);
      this.#failed++;
      this.emit({ type: "connection-failed", id, ...described(error) });
    } finally {
      this.#live.delete(id);
      this.#carried.delete(id);
      this.#sent += carried.out;
      this.#received += carried.in;
    }
  }

  async #carry(
    id: number,
    session: ResumableConn,
    { local, target, from, ready = Promise.resolve() }: Opening,
    carried: Carried,
  ): Promise<void> {
    const { sid } = session;
    const told = ready.then(() =>
      this.emit({
        type: "connection-opened",
        ...{ id, sid, target, from: addressText(from) },
      })
    );
    await splice(local, session, carried, told);
  }

  #listen(id: number, session: ResumableConn, cut: () => void): void {
    session.on("detached", ({ reason }) => {
      this.emit({ type: "connection-paused", id, reason });
    });
    session.on("resumed", ({ pauseMs, replayedBytes }) => {
      cut();
      this.#cuts++;
      this.emit({ type: "connection-resumed", id, pauseMs, replayedBytes });
    });
  }
}

/** An error as an event has it. */
function described(
  error: unknown,
): { readonly code: string; readonly error: string } {
  const code = error instanceof ResumeError
    ? error.code
    : error instanceof Error
    ? error.name
    : "Error";
  return { code, error: errorText(error) };
}
