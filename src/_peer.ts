import { Emitter, EventReader, relay } from "@holdfast/events/emitter";
import type { ResumableConn, ResumeServer } from "@holdfast/resume";
import type { Signalling } from "@holdfast/signal";
import { Callbacks } from "./_callbacks.ts";
import { placeText } from "./_candidates.ts";
import { Connecting } from "./_connecting.ts";
import type { Crossroads } from "./_crossroads.ts";
import { answer } from "./_doorman.ts";
import { Home } from "./_home.ts";
import {
  type Answer,
  checkName,
  decodeAnswer,
  encodeMeeting,
  type Question,
  type Whereabouts,
} from "./_meeting.ts";
import type { Followed } from "./_network.ts";
import { openOutgoing, type OutgoingContext } from "./_outgoing.ts";
import { encodePeerState } from "./_peer_state.ts";
import type { Route } from "./_route.ts";
import { type Stream, Streams } from "./_streams.ts";
import { Tellers } from "./_tellers.ts";
import type { Tickets } from "./_tickets.ts";
import { PeerError } from "./errors.ts";
import type {
  Peer,
  PeerConnection,
  PeerConnectOptions,
  PeerState,
} from "./peer.ts";
import type {
  Limitation,
  PeerConnectedEvent,
  PeerEvent,
} from "./peer_events.ts";
import type { PeerOptions, PortLease } from "./peer_options.ts";
import type { PeerStats } from "./peer_stats.ts";

/** What a peer is made of. */
export interface PeerParts {
  /** The options that it was opened with. */
  readonly options: PeerOptions;
  /** Takes the streams of others. */
  readonly server: ResumeServer;
  /** Where its connections come from. */
  readonly crossroads: Crossroads;
  /** Whether the listener is to be closed with a suspended peer. */
  readonly ownsListener: boolean;
  /** Meets others; `undefined` without brokers. */
  readonly signalling: Signalling | undefined;
  /** The one-time keys that it gives out. */
  readonly tickets: Tickets;
  readonly followed: Followed;
  /** The opened port of the firewall. */
  readonly lease: PortLease | undefined;
  readonly limited: readonly Limitation[];
}

/** The shell of {@linkcode Peer}. */
export class PeerHandle extends EventReader<PeerEvent> implements Peer {
  readonly id: string;
  readonly #parts: PeerParts;
  readonly #emitter: Emitter<PeerEvent>;
  readonly #news = new Emitter<{ readonly type: string }>();
  readonly #home: Home;
  readonly #callbacks: Callbacks;
  readonly #tellers: Tellers | undefined;
  readonly #streams = new Streams();
  readonly #connecting = new Connecting();
  readonly #routes = new Map<Route, string>();
  readonly #incoming: PeerConnection[] = [];
  readonly #waiting: ((next: PeerConnection | undefined) => void)[] = [];
  readonly #closing = new AbortController();
  readonly #serving: Promise<void>;
  readonly #limited: Limitation[];
  readonly #counters = { asked: 0, answered: 0, moves: 0, called: 0, calls: 0 };
  #localAddress: string | undefined;
  #looking = false;

  constructor(parts: PeerParts) {
    const { options, signalling, crossroads, followed } = parts;
    const emitter = new Emitter<PeerEvent>({
      onListenerError: options.onListenerError,
    });
    super(emitter);
    this.id = options.identity.id;
    this.#parts = parts;
    this.#emitter = emitter;
    this.#limited = [...parts.limited];
    this.#localAddress = options.localAddress;
    this.#home = new Home({
      addr: () => crossroads.addr,
      advertise: options.advertise,
      publicAddresses: options.publicAddresses ?? [],
      network: followed.network,
    });
    this.#callbacks = new Callbacks({
      progress: (peer, name) =>
        this.#streams.incoming(peer, name)?.stats().resumed,
      localAddress: () => this.#localAddress,
      interfaces: () => this.#home.interfaces(),
      serve: (transport) => crossroads.serve(transport),
      called: (peer, to, reason) => {
        this.#counters.called++;
        emitter.emit({ type: "peer-called", peer, to, reason });
      },
    });
    this.#tellers = signalling &&
      new Tellers((peer, signal) =>
        this.#request(peer, { type: "moved", ...this.#home.now }, signal)
      );
    this.#relayParts();
    this.#answerQuestions();
    this.#serving = this.#serve();
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  readonly #onAbort = (): void => void this.close();

  #relayParts(): void {
    const { signalling, followed, lease } = this.#parts;
    const { signal } = this.#closing;
    if (signalling !== undefined) {
      relay(signalling, this.#emitter, {
        map: (event) => ({ type: "signalling", event }),
        signal,
      });
    }
    const { network } = followed;
    if (network !== undefined) {
      network.on("*", (event) => {
        this.#emitter.emit({ type: "network", event });
        this.#look(event.type);
        this.#news.emit(event);
      }, { signal });
    }
    const leased = lease?.on?.("*", (event) => {
      this.#emitter.emit({ type: "firewall", event });
    });
    if (leased === undefined) return;
    signal.addEventListener("abort", () => leased[Symbol.dispose](), {
      once: true,
    });
  }

  #answerQuestions(): void {
    const { options, signalling, tickets, crossroads } = this.#parts;
    const accepts = options.accepts ?? crossroads.addr !== undefined;
    signalling?.handle(({ from, bytes }) => {
      this.#counters.answered++;
      return answer(from, bytes, {
        ...{ accepts, tickets, home: this.#home, allow: options.allow },
        callbacks: this.#callbacks,
        moved: (peer, place) => this.#heard(peer, place),
      });
    });
  }

  get signalling(): Signalling {
    const { signalling } = this.#parts;
    if (signalling !== undefined) return signalling;
    throw new PeerError(
      "peer/no-brokers",
      "Cannot use signalling: the peer has no brokers: open it with some",
    );
  }

  get addr(): Deno.Addr | undefined {
    return this.#parts.crossroads.addr;
  }

  get state(): PeerState {
    return {
      streams: this.#streams.list().map(({ peer, name, conn }) => ({
        ...{ peer, name, conn },
      })),
      candidates: this.#home.now.candidates.map(placeText),
      limited: [...this.#limited],
    };
  }

  stats(): PeerStats {
    const { signalling, followed } = this.#parts;
    const { written, consumed, replayed, ...sums } = this.#streams.sums();
    return {
      open: this.#streams.list().length,
      connected: this.#streams.connected,
      accepted: this.#streams.accepted,
      lost: this.#streams.lost,
      writtenBytes: written,
      readBytes: consumed,
      replayedBytes: replayed,
      ...sums,
      ...this.#counters,
      signalling: signalling?.stats(),
      network: followed.network?.stats(),
    };
  }

  async connect(
    peer: string,
    options: PeerConnectOptions = {},
  ): Promise<ResumableConn> {
    this.#requireOpen("connect");
    const name = checkName(options.name ?? "");
    void this.signalling; // Throws without brokers.
    return await this.#connecting.get(
      `${peer}\n${name}`,
      options.signal,
      async (signal) => {
        const conn = await openOutgoing(
          peer,
          this.#outgoingContext(peer, name),
          AbortSignal.any([signal, this.#closing.signal]),
        );
        this.#track({ peer, name, conn, outgoing: true }, "asked");
        return conn;
      },
    );
  }

  #outgoingContext(peer: string, name: string): OutgoingContext {
    const { options, crossroads, followed } = this.#parts;
    return {
      ask: (type, back, signal) => {
        if (type === "where") this.#counters.asked++;
        this.#home.look();
        const place = this.#home.now;
        return this.#request(peer, { type, name, back, ...place }, signal);
      },
      expect: (id, waiter) =>
        crossroads.expect(id, {
          key: waiter.key,
          offer: (transport) => {
            this.#counters.calls++;
            waiter.offer(transport);
          },
        }),
      opened: (route) => {
        this.#routes.set(route, peer);
        return { [Symbol.dispose]: () => void this.#routes.delete(route) };
      },
      callable: () => this.#home.now.candidates.length > 0,
      located: (candidates, reason) =>
        this.#emitter.emit({
          ...{ type: "peer-located", peer, reason },
          candidates: candidates.map(placeText),
        }),
      localAddress: () => this.#localAddress,
      interfaces: () => this.#home.interfaces(),
      news: this.#news,
      network: followed.network,
      stream: options.stream,
      onListenerError: options.onListenerError,
    };
  }

  async #request(
    peer: string,
    question: Question,
    signal: AbortSignal,
  ): Promise<Answer> {
    const bytes = encodeMeeting(question);
    return decodeAnswer(await this.signalling.request(peer, bytes, { signal }));
  }

  moveTo(localAddress: string | undefined): void {
    this.#localAddress = localAddress;
    this.#look("move-to");
    this.#news.emit({ type: "path-changed" });
  }

  // After all the events of one change: they come in one turn.
  #look(reason: string): void {
    if (this.#looking) return;
    this.#looking = true;
    queueMicrotask(() => {
      this.#looking = false;
      if (!this.#closing.signal.aborted && this.#home.look()) {
        this.#tell(reason, this.#streams.peers());
      }
    });
  }

  #tell(reason: string, peers: readonly string[]): void {
    this.#counters.moves++;
    this.#emitter.emit({
      ...{ type: "moved", reason, peers: peers.length },
      candidates: this.#home.now.candidates.map(placeText),
    });
    this.#tellers?.tell(peers);
    this.#callbacks.callAll();
  }

  #heard(peer: string, place: Whereabouts): void {
    for (const [route, to] of this.#routes) {
      if (to === peer) route.moved(place, "moved");
    }
    this.#callbacks.moved(peer, place);
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
    const { server, tickets } = this.#parts;
    for await (const conn of server) {
      const ticket = await tickets.read(conn.keyId);
      if (
        ticket === undefined ||
        !conn.restored &&
          !tickets.redeem(conn.keyId, ticket.until, Date.now())
      ) {
        // Another session was opened with its ticket meanwhile.
        conn.abort();
        continue;
      }
      const { peer, name } = ticket;
      const reason = conn.restored ? "restored" : "was-asked";
      this.#track({ peer, name, conn, outgoing: false }, reason);
      // Its client knows the place of the process before this one.
      if (conn.restored) this.#tellers?.tell([peer]);
      const waiter = this.#waiting.shift();
      if (waiter !== undefined) waiter({ peer, name, conn });
      else this.#incoming.push({ peer, name, conn });
    }
  }

  #track(stream: Stream, reason: PeerConnectedEvent["reason"]): void {
    const { peer, name, conn, outgoing } = stream;
    const { sid } = conn;
    this.#streams.add(stream, () => {
      if (!outgoing && this.#streams.incoming(peer, name) === undefined) {
        this.#callbacks.forget(peer, name);
      }
    });
    relay(conn, this.#emitter, {
      map: (event) => ({ type: "stream", peer, sid, event }),
    });
    this.#emitter.emit({ type: "peer-connected", peer, name, sid, reason });
  }

  async suspend(): Promise<Uint8Array<ArrayBuffer>> {
    this.#requireOpen("suspend");
    const { server, signalling, crossroads, ownsListener } = this.#parts;
    // First the meeting, so that no ticket is given out that nobody knows.
    const closed = signalling?.close();
    const sessions = await server.suspend();
    await closed;
    if (ownsListener) crossroads.close();
    else crossroads.leave();
    await this.close();
    return encodePeerState(sessions);
  }

  async close(): Promise<void> {
    const { signal } = this.#closing;
    const { options, server, signalling, followed, lease } = this.#parts;
    if (!signal.aborted) {
      this.#closing.abort(new PeerError("peer/closed", "The peer is closed"));
      options.signal?.removeEventListener("abort", this.#onAbort);
      for (const waiter of this.#waiting.splice(0)) waiter(undefined);
      this.#tellers?.end();
      this.#callbacks.end();
    }
    await Promise.all([
      signalling?.close(),
      server.close(),
      this.#serving,
      followed.own ? followed.network?.close() : undefined,
      lease?.[Symbol.asyncDispose](),
    ]);
    for (const route of this.#routes.keys()) route.end();
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
