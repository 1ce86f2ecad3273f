/** The connections of one end of a tunnel: counted, told of, and ended. */
import { Emitter, EventReader } from "@holdfast/events/emitter";
import { addressText, errorText } from "./_deno.ts";
import { closeLocal, Flow, type Flows, splice } from "./_tunnel_pump.ts";
import type { ConnectionState } from "./_tunnel_state.ts";
import { ResumeError } from "./errors.ts";
import type { ResumableConn } from "./resumable_conn.ts";
import type { TunnelEvent, TunnelStats } from "./tunnel_events.ts";
import type { LocalConn } from "./tunnel_options.ts";

/** One connection as it is being opened. */
export interface Opening {
  /** The program's own; `undefined` once it has ended. */
  readonly local: LocalConn | undefined;
  /** Where it leads, as text. */
  readonly target: string;
  /** Where it comes from, as text. */
  readonly from: string | undefined;
  /** Settles when the session's own bytes begin. */
  readonly ready?: Promise<void> | undefined;
  /** Where it stood in another process. */
  readonly restored?: ConnectionState | undefined;
}

/** One connection that is not over. */
export interface Live {
  readonly id: number;
  session: ResumableConn | undefined;
  local: LocalConn | undefined;
  target: string;
  from: string | undefined;
  /** Whether the session's own bytes have begun. */
  opened: boolean;
  /** At a server: the target that its client asked for. */
  asked: string | undefined;
  /** At a server: whether that is being reached. */
  reaching: boolean;
  flows: Flows;
  cuts: number;
}

type Open = (
  opened: (session: ResumableConn) => void,
  live: Live,
) => Promise<Opening | undefined>;

/** What both ends of a tunnel are made of. */
export class TunnelConnections extends EventReader<TunnelEvent> {
  readonly #emitter: Emitter<TunnelEvent>;
  readonly #live = new Map<number, Live>();
  readonly #running = new Set<Promise<void>>();
  #total = 0;
  #failed = 0;
  #cuts = 0;
  #sent = 0;
  #received = 0;
  #changed: () => void = () => {};

  constructor(onListenerError: ((error: unknown) => void) | undefined) {
    const emitter = new Emitter<TunnelEvent>({ onListenerError });
    super(emitter);
    this.#emitter = emitter;
  }

  /** See {@linkcode TunnelStats}. */
  stats(): TunnelStats {
    let [paused, sentBytes, receivedBytes] = [0, this.#sent, this.#received];
    for (const { session, flows } of this.#live.values()) {
      if (session?.state.name === "detached") paused++;
      sentBytes += flows.out.bytes;
      receivedBytes += flows.in.bytes;
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

  /** Those that are not over. */
  get live(): Live[] {
    return [...this.#live.values()];
  }

  /** Resolves once none of them is busy in this sense, or after so long. */
  async until(
    busy: (live: Live) => boolean,
    deadlineMs: number,
  ): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#changed();
    }, deadlineMs);
    while (!late && this.live.some(busy)) {
      await new Promise<void>((resolve) => this.#changed = resolve);
    }
    clearTimeout(timer);
  }

  /**
   * Where each of them stands that another process can go on with: exact if
   * that is all that this one still does.
   *
   * @param passed The programs' connections that it gets.
   */
  states(passed: readonly LocalConn[]): [ConnectionState, Live][] {
    return this.live.filter(isMovable).map((live) => {
      const { local, target, from, opened, asked, flows } = live;
      const sid = live.session?.sid ?? "";
      const index = local === undefined ? -1 : passed.indexOf(local);
      const state = { sid, index, target, from, opened, asked, ttlMs: 0 };
      const [out, back] = [flows.out.state, flows.in.state];
      return [{ ...state, out, in: back }, live];
    });
  }

  /** Resolves once no connection is left. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Ends every connection at once, and tells no more. */
  async end(): Promise<void> {
    for (const { session } of this.#live.values()) session?.abort();
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
  start(open: Open, local?: LocalConn): void {
    const id = ++this.#total;
    const live: Live = {
      ...{ id, session: undefined, local, target: "", from: undefined },
      ...{ opened: false, asked: undefined, reaching: false, cuts: 0 },
      flows: { out: new Flow(), in: new Flow() },
    };
    this.#live.set(id, live);
    const running = this.#run(live, open)
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #run(live: Live, open: Open): Promise<void> {
    const { id } = live;
    try {
      const opening = await open((session) => {
        live.session = session;
        this.#listen(live, session);
        this.#changed();
      }, live);
      if (opening === undefined) return;
      await this.#carry(live, opening);
      await live.session!.closed;
      this.emit({
        type: "connection-closed",
        id,
        sentBytes: live.flows.out.bytes,
        receivedBytes: live.flows.in.bytes,
        cuts: live.cuts,
      });
    } catch (error) {
      live.session?.abort();
      if (live.local !== undefined) closeLocal(live.local);
      this.#failed++;
      this.emit({ type: "connection-failed", id, ...described(error) });
    } finally {
      this.#live.delete(id);
      this.#sent += live.flows.out.bytes;
      this.#received += live.flows.in.bytes;
      this.#changed();
    }
  }

  async #carry(live: Live, opening: Opening): Promise<void> {
    const { id } = live;
    const { local, target, from, restored } = opening;
    const session = live.session!;
    Object.assign(live, { local, target, from });
    if (restored !== undefined) {
      live.flows = { out: new Flow(restored.out), in: new Flow(restored.in) };
    }
    const type = restored?.opened ? "connection-restored" : "connection-opened";
    const told = (async () => {
      await opening.ready;
      live.opened = true;
      this.#changed();
      this.emit({ type, id, sid: session.sid, target, from });
    })();
    if (local === undefined) {
      await told;
      return session.close();
    }
    await splice(local, session, live.flows, told);
    // Of the program there is nothing left that another process could take.
    live.local = undefined;
  }

  #listen(live: Live, session: ResumableConn): void {
    const { id } = live;
    session.on("detached", ({ reason }) => {
      this.emit({ type: "connection-paused", id, reason });
    });
    session.on("resumed", ({ pauseMs, replayedBytes }) => {
      live.cuts++;
      this.#cuts++;
      this.emit({ type: "connection-resumed", id, pauseMs, replayedBytes });
    });
  }
}

// What was read of the exchange at the start, and is not whole, would be lost.
function isMovable({ opened, asked, reaching, session }: Live): boolean {
  if (opened) return !isOver(session!);
  return asked === undefined ? (session?.bytesRead ?? 0) === 0 : !reaching;
}

function isOver({ state }: ResumableConn): boolean {
  return state.name === "closed" || state.name === "lost";
}

/** Where a connection comes from, as text. */
export function originOf(
  conn: { readonly remoteAddr?: Deno.Addr | undefined },
): string | undefined {
  return addressText(conn.remoteAddr);
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
