import { Emitter, EventReader, relay } from "@holdfast/events/emitter";
import type { ResumableConn, ResumeServer } from "@holdfast/resume";
import type { Signalling } from "@holdfast/signal";
import { candidatesOf } from "./_candidates.ts";
import {
  type Answer,
  type Candidate,
  decodeAnswer,
  decodeQuestion,
  encodeMeeting,
} from "./_meeting.ts";
import { openOutgoing, type OutgoingContext } from "./_outgoing.ts";
import { encodePeerState } from "./_peer_state.ts";
import type { Tickets } from "./_tickets.ts";
import { PeerError } from "./errors.ts";
import type { Peer, PeerConnection, PeerConnectOptions } from "./peer.ts";
import type { PeerConnectedEvent, PeerEvent } from "./peer_events.ts";
import type { PeerOptions } from "./peer_options.ts";

/** What a peer is made of. */
export interface PeerParts {
  /** The options that it was opened with. */
  readonly options: PeerOptions;
  /** Takes the streams of others, where it listens. */
  readonly server: ResumeServer | undefined;
  /** Meets others. */
  readonly signalling: Signalling;
  /** The one-time keys that it gave out. */
  readonly tickets: Tickets;
  /** Which peer opened the restored session with which key id. */
  readonly peers: Readonly<Record<string, string>>;
}

/** The shell of {@linkcode Peer}. */
export class PeerHandle extends EventReader<PeerEvent> implements Peer {
  readonly id: string;
  readonly signalling: Signalling;
  readonly #emitter: Emitter<PeerEvent>;
  readonly #news = new Emitter<{ readonly type: string }>();
  readonly #options: PeerOptions;
  readonly #server: ResumeServer | undefined;
  readonly #tickets: Tickets;
  readonly #restoredPeers: Readonly<Record<string, string>>;
  readonly #conns = new Map<ResumableConn, string>();
  readonly #outgoing = new Set<ResumableConn>();
  readonly #incoming: PeerConnection[] = [];
  readonly #waiting: ((next: PeerConnection | undefined) => void)[] = [];
  readonly #closing = new AbortController();
  readonly #serving: Promise<void>;
  #localAddress: string | undefined;

  constructor(parts: PeerParts) {
    const { options, server, signalling, tickets, peers } = parts;
    const emitter = new Emitter<PeerEvent>({
      onListenerError: options.onListenerError,
    });
    super(emitter);
    this.id = signalling.id;
    this.signalling = signalling;
    this.#emitter = emitter;
    this.#options = options;
    this.#server = server;
    this.#tickets = tickets;
    this.#restoredPeers = peers;
    this.#localAddress = options.localAddress;
    relay(signalling, emitter, {
      map: (event) => ({ type: "signalling", event }),
      signal: this.#closing.signal,
    });
    if (options.network !== undefined) {
      const { signal } = this.#closing;
      relay(options.network, emitter, {
        map: (event) => ({ type: "network", event }),
        signal,
      });
      relay(options.network, this.#news, { signal });
    }
    signalling.handle(({ from, bytes }) => this.#answer(from, bytes));
    this.#serving = this.#serve();
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  readonly #onAbort = (): void => void this.close();

  get addr(): Deno.Addr | undefined {
    return this.#server?.addr;
  }

  get state(): { readonly streams: readonly PeerConnection[] } {
    return {
      streams: [...this.#conns].map(([conn, peer]) => ({ peer, conn })),
    };
  }

  async connect(
    peer: string,
    options: PeerConnectOptions = {},
  ): Promise<ResumableConn> {
    this.#requireOpen("connect");
    const ends = [this.#closing.signal];
    if (options.signal !== undefined) ends.push(options.signal);
    const conn = await openOutgoing(
      peer,
      this.#outgoingContext(peer),
      AbortSignal.any(ends),
    );
    this.#outgoing.add(conn);
    this.#track(conn, peer, "asked");
    return conn;
  }

  #outgoingContext(peer: string): OutgoingContext {
    return {
      ask: async (type, signal) => {
        const question = encodeMeeting({ type });
        const bytes = await this.signalling.request(peer, question, { signal });
        return decodeAnswer(bytes);
      },
      located: (candidates, reason) =>
        this.#emitter.emit({
          type: "peer-located",
          peer,
          reason,
          candidates: candidates.map(({ hostname, port }) =>
            hostname.includes(":")
              ? `[${hostname}]:${port}`
              : `${hostname}:${port}`
          ),
        }),
      localAddress: () => this.#localAddress,
      news: this.#news,
      network: this.#options.network,
      stream: this.#options.stream,
      onListenerError: this.#options.onListenerError,
    };
  }

  moveTo(localAddress: string | undefined): void {
    this.#localAddress = localAddress;
    this.#news.emit({ type: "path-changed" });
  }

  async accept(): Promise<PeerConnection> {
    const next = this.#incoming.shift() ?? await this.#next();
    if (next !== undefined) return next;
    throw new PeerError("peer/closed", "Cannot accept: the peer is closed");
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<PeerConnection> {
    for (;;) {
      const next = this.#incoming.shift() ?? await this.#next();
      if (next === undefined) return;
      yield next;
    }
  }

  #next(): Promise<PeerConnection | undefined> {
    if (this.#closing.signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #serve(): Promise<void> {
    for await (const conn of this.#server ?? []) {
      const keyId = conn.keyId.toHex();
      const ticket = this.#tickets.redeem(keyId);
      const peer = ticket?.peer ?? this.#restoredPeers[keyId];
      if (peer === undefined) {
        // Its ticket was used by another session: it cannot be told who it is.
        conn.abort();
        continue;
      }
      this.#track(conn, peer, conn.restored ? "restored" : "was-asked");
      const waiter = this.#waiting.shift();
      if (waiter !== undefined) waiter({ peer, conn });
      else this.#incoming.push({ peer, conn });
    }
  }

  async #answer(from: string, bytes: Uint8Array): Promise<Uint8Array> {
    return encodeMeeting(await this.#answerTo(from, bytes));
  }

  async #answerTo(from: string, bytes: Uint8Array): Promise<Answer> {
    const question = decodeQuestion(bytes);
    const { allow, advertise } = this.#options;
    if (question === undefined || allow && !await allow(from)) {
      return { type: "refused" };
    }
    const candidates: readonly Candidate[] = advertise ??
      candidatesOf(this.addr, () => Deno.networkInterfaces());
    if (candidates.length === 0) return { type: "not-listening" };
    if (question.type === "where") return { type: "here", candidates };
    const random = crypto.getRandomValues(new Uint8Array(48));
    const { id, key } = this.#tickets.issue(from, random, Date.now());
    return { type: "here", candidates, ticket: { id, key } };
  }

  #track(
    conn: ResumableConn,
    peer: string,
    reason: PeerConnectedEvent["reason"],
  ): void {
    const { sid } = conn;
    this.#conns.set(conn, peer);
    relay(conn, this.#emitter, {
      map: (event) => ({ type: "stream", peer, sid, event }),
    });
    void conn.closed.then(() => {
      this.#conns.delete(conn);
      this.#outgoing.delete(conn);
    });
    this.#emitter.emit({ type: "peer-connected", peer, sid, reason });
  }

  async suspend(): Promise<Uint8Array<ArrayBuffer>> {
    this.#requireOpen("suspend");
    const peers = Object.fromEntries(
      [...this.#conns].filter(([conn]) => !this.#outgoing.has(conn))
        .map(([conn, peer]) => [conn.keyId.toHex(), peer]),
    );
    const tickets = this.#tickets.list(Date.now());
    // First the meeting, so that no ticket is given out that nobody knows.
    const closed = this.signalling.close();
    const sessions = await this.#server?.suspend() ?? new Uint8Array(0);
    await closed;
    await this.close();
    return encodePeerState({ tickets, peers, sessions });
  }

  async close(): Promise<void> {
    const { signal } = this.#closing;
    if (!signal.aborted) {
      this.#closing.abort(new PeerError("peer/closed", "The peer is closed"));
      this.#options.signal?.removeEventListener("abort", this.#onAbort);
      for (const waiter of this.#waiting.splice(0)) waiter(undefined);
    }
    await Promise.all([
      this.signalling.close(),
      this.#server?.close(),
      this.#serving,
    ]);
    this.#news[Symbol.dispose]();
    this.#emitter[Symbol.dispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #requireOpen(action: string): void {
    if (!this.#closing.signal.aborted) return;
    throw new PeerError("peer/closed", `Cannot ${action}: the peer is closed`);
  }
}
