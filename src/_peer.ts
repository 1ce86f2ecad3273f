import { Emitter, EventReader, relay } from "@holdfast/events/emitter";
import type { ResumableConn, ResumeServer } from "@holdfast/resume";
import type { Signalling } from "@holdfast/signal";
import { AcceptQueue } from "./_accept_queue.ts";
import { placeText } from "./_candidates.ts";
import { Connecting } from "./_connecting.ts";
import type { Crossroads } from "./_crossroads.ts";
import { answer } from "./_doorman.ts";
import { Locator } from "./_locator.ts";
import {
  type Answer,
  checkName,
  decodeAnswer,
  encodeMeeting,
  type Question,
} from "./_meeting.ts";
import type { Followed } from "./_network.ts";
import { openOutgoing, type OutgoingContext } from "./_outgoing.ts";
import { encodePeerState } from "./_peer_state.ts";
import { type Stream, Streams } from "./_streams.ts";
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
  readonly #locator: Locator;
  readonly #streams = new Streams();
  readonly #connecting = new Connecting();
  readonly #incoming = new AcceptQueue<PeerConnection>();
  readonly #closing = new AbortController();
  readonly #serving: Promise<void>;
  readonly #counters = { asked: 0, answered: 0, moves: 0, called: 0, calls: 0 };
  #localAddress: string | undefined;

  constructor(parts: PeerParts) {
    const { options } = parts;
    const emitter = new Emitter<PeerEvent>({
      onListenerError: options.onListenerError,
    });
    super(emitter);
    this.id = options.identity.id;
    this.#parts = parts;
    this.#emitter = emitter;
    this.#localAddress = options.localAddress;
    this.#locator = this.#newLocator();
    this.#relayParts();
    this.#answerQuestions();
    this.#serving = this.#serve();
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  readonly #onAbort = (): void => void this.close();

  #newLocator(): Locator {
    const { options, signalling, crossroads, followed } = this.#parts;
    return new Locator({
      addr: () => crossroads.addr,
      advertise: options.advertise,
      publicAddresses: options.publicAddresses ?? [],
      network: followed.network,
      request: signalling && this.#request.bind(this),
      progress: (peer, name) =>
        this.#streams.incoming(peer, name)?.stats().resumed,
      localAddress: () => this.#localAddress,
      serve: (transport) => crossroads.serve(transport),
      peers: () => this.#streams.peers(),
      called: (peer, to, reason) => {
        this.#counters.called++;
        this.#emitter.emit({ type: "peer-called", peer, to, reason });
      },
      moved: (reason, peers) => {
        this.#counters.moves++;
        const candidates = this.state.candidates;
        this.#emitter.emit({ type: "moved", reason, peers, candidates });
      },
    });
  }

  #relayParts(): void {
    const { signalling, followed, lease } = this.#parts;
    const { signal } = this.#closing;
    if (signalling !== undefined) {
      relay(signalling, this.#emitter, {
        map: (event) => ({ type: "signalling", event }),
        signal,
      });
      signalling.on("broker-up", () => this.#locator.hurry(), { signal });
    }
    const { network } = followed;
    if (network !== undefined) {
      network.on("*", (event) => {
        this.#emitter.emit({ type: "network", event });
        this.#locator.look(event.type);
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
        ...{ accepts, tickets, allow: options.allow },
        home: this.#locator.home,
        callbacks: this.#locator.callbacks,
        moved: (peer, place) => this.#locator.heard(peer, place),
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
      candidates: this.#locator.home.now.candidates.map(placeText),
      limited: [...this.#parts.limited],
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
        this.#locator.home.look();
        const place = this.#locator.home.now;
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
      opened: (route) => this.#locator.add(route, peer),
      callable: () => this.#locator.home.now.candidates.length > 0,
      located: (candidates, reason) =>
        this.#emitter.emit({
          ...{ type: "peer-located", peer, reason },
          candidates: candidates.map(placeText),
        }),
      localAddress: () => this.#localAddress,
      interfaces: () => this.#locator.home.interfaces(),
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
    this.#locator.look("move-to");
    this.#news.emit({ type: "path-changed" });
  }

  async accept(): Promise<PeerConnection> {
    const next = await this.#incoming.next();
    if (next !== undefined) return next;
    throw new PeerError("peer/closed", "Cannot accept: the peer is closed");
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<PeerConnection> {
    return this.#incoming.all();
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
      if (conn.restored) this.#locator.tell([peer]);
      this.#incoming.push({ peer, name, conn });
    }
  }

  #track(stream: Stream, reason: PeerConnectedEvent["reason"]): void {
    const { peer, name, conn, outgoing } = stream;
    const { sid } = conn;
    this.#streams.add(stream, () => {
      if (!outgoing && this.#streams.incoming(peer, name) === undefined) {
        this.#locator.callbacks.forget(peer, name);
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
      this.#incoming.end();
      this.#locator.end();
    }
    await Promise.all([
      signalling?.close(),
      server.close(),
      this.#serving,
      followed.own ? followed.network?.close() : undefined,
      lease?.[Symbol.asyncDispose](),
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
