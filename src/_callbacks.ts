/**
 * Connections that the peer makes which was asked for a stream: where only that
 * way round is open, for a firewall or a NAT stands before its listener, or
 * before it has none. It waits a moment first, since the other way round is the
 * usual one and needs nothing of this.
 */
import { dial } from "@holdfast/recovery";
import type { Transport } from "@holdfast/resume";
import { delay } from "@std/async/delay";
import { type CallKey, encodeCall } from "./_calling_wire.ts";
import { inDialOrder, type InterfaceRow, placeText } from "./_candidates.ts";
import { connectFrom } from "./_connect_from.ts";
import { closeQuietly } from "./_crossroads.ts";
import type { Candidate, Whereabouts } from "./_meeting.ts";

/** Why a peer is called. */
export type CallReason = "meet" | "moved" | "where";

/** What calling back needs of its peer. */
export interface CallbackContext {
  /** How often the stream was resumed; `undefined` while there is none. */
  progress(peer: string, name: string): number | undefined;
  localAddress(): string | undefined;
  interfaces(): readonly InterfaceRow[];
  /** Gives the connection to the resume server. */
  serve(transport: Transport): void;
  called(peer: string, to: string, reason: CallReason): void;
}

interface Caller {
  readonly peer: string;
  readonly name: string;
  back: CallKey;
  place: Whereabouts;
  calling: AbortController | undefined;
}

// Who meets for the first time mostly gets through; who has lost a path, and
// whose stream stands still, is worth a connection that may be too much.
const WAIT_MS: Readonly<Record<CallReason, number>> = {
  ...{ meet: 300, moved: 100, where: 100 },
};
const RETRY_FIRST_MS = 1_000;
const TRIES_MAX = 6;
/** How many streams may be called back for. */
export const CALLERS_MAX = 1024;

/** Those whom this peer can call back, by peer and name of the stream. */
export class Callbacks {
  readonly #context: CallbackContext;
  readonly #callers = new Map<string, Caller>();
  #number = Date.now();

  constructor(context: CallbackContext) {
    this.#context = context;
  }

  /** How many can be called. */
  get size(): number {
    return this.#callers.size;
  }

  /** The peer asked, and can be called so. */
  asked(
    peer: string,
    name: string,
    back: CallKey,
    place: Whereabouts,
    reason: CallReason,
  ): void {
    const key = `${peer}\n${name}`;
    const old = this.#callers.get(key);
    this.#callers.delete(key);
    if (this.#callers.size >= CALLERS_MAX) {
      const [first] = this.#callers.keys();
      this.forget(...(first!.split("\n") as [string, string]));
    }
    const calling = old?.calling;
    const caller: Caller = { peer, name, back, place, calling };
    this.#callers.set(key, caller);
    this.#call(caller, reason);
  }

  /** The peer is elsewhere. */
  moved(peer: string, place: Whereabouts): void {
    for (const caller of this.#callers.values()) {
      if (caller.peer !== peer || place.at <= caller.place.at) continue;
      caller.place = place;
      // Under way to where it was.
      if (caller.calling !== undefined) this.#call(caller, "moved");
    }
  }

  /** This peer is elsewhere: the others may not know, or not get through. */
  callAll(): void {
    for (const caller of this.#callers.values()) this.#call(caller, "moved");
  }

  /** The stream is over. */
  forget(peer: string, name: string): void {
    const key = `${peer}\n${name}`;
    this.#callers.get(key)?.calling?.abort();
    this.#callers.delete(key);
  }

  end(): void {
    for (const { calling } of this.#callers.values()) calling?.abort();
    this.#callers.clear();
  }

  #call(caller: Caller, reason: CallReason): void {
    caller.calling?.abort();
    caller.calling = undefined;
    if (caller.place.candidates.length === 0) return;
    const calling = new AbortController();
    caller.calling = calling;
    void this.#run(caller, reason, calling.signal)
      .catch(() => {}) // Aborted: it is over, or begins anew.
      .finally(() => {
        if (caller.calling === calling) caller.calling = undefined;
      });
  }

  async #run(
    caller: Caller,
    reason: CallReason,
    signal: AbortSignal,
  ): Promise<void> {
    const { peer, name } = caller;
    const before = this.#context.progress(peer, name);
    const needed = () => this.#context.progress(peer, name) === before;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const wait = tries === 0
        ? WAIT_MS[reason]
        : RETRY_FIRST_MS * 2 ** (tries - 1);
      await delay(wait, { signal });
      if (!needed()) return;
      const conn = await this.#dial(caller, signal).catch(() => undefined);
      signal.throwIfAborted();
      if (conn === undefined) continue;
      if (!needed()) return closeQuietly(conn.conn);
      try {
        const bytes = await encodeCall(caller.back, ++this.#number);
        for (let at = 0; at < bytes.length;) {
          at += await conn.conn.write(bytes.subarray(at));
        }
      } catch {
        closeQuietly(conn.conn);
        continue;
      }
      this.#context.called(peer, conn.to, reason);
      this.#context.serve(conn.conn);
    }
  }

  async #dial(
    { place }: Caller,
    signal: AbortSignal,
  ): Promise<{ readonly conn: Deno.TcpConn; readonly to: string }> {
    const { interfaces, localAddress } = this.#context;
    const targets = inDialOrder(place.candidates, interfaces());
    let to = "";
    const conn = await dial(targets, {
      ...{ deadlineMs: 5_000, attemptMs: 3_000, staggerMs: 100, signal },
      retry: () => false,
      connect: async (candidate: Candidate, context) => {
        const made = await connectFrom(
          candidate,
          localAddress(),
          context.signal,
        );
        to = placeText(candidate);
        return made;
      },
    });
    return { conn, to };
  }
}
