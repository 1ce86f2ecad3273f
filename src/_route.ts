/** Where the other peer is, as far as is known, and the transports that lead there. */
import { Emitter, relay } from "@holdfast/events/emitter";
import type { Events } from "@holdfast/events";
import type { NetworkWatch } from "@holdfast/netwatch";
import { dial } from "@holdfast/recovery";
import type { DialContext, Transport } from "@holdfast/resume";
import { AskingRules } from "./_asking_rules.ts";
import {
  afterMove,
  inDialOrder,
  type InterfaceRow,
  sameCandidates,
} from "./_candidates.ts";
import { connectFrom } from "./_connect_from.ts";
import { closeQuietly } from "./_crossroads.ts";
import { aborted, Limit } from "./_limit.ts";
import { Race, type RaceNews } from "./_race.ts";
import type { Candidate, Whereabouts } from "./_meeting.ts";

/** What a route needs of its peer. */
export interface RouteContext {
  /** Asks the other peer where it is, through signalling. */
  askWhere(signal: AbortSignal): Promise<Whereabouts | undefined>;
  /** Tells that it answered, or said so by itself. */
  located(
    candidates: readonly Candidate[],
    reason: "connect" | "moved" | "redial",
  ): void;
  /** The local address to connect from. */
  localAddress(): string | undefined;
  /** Whether the other peer can make connections to this one. */
  callable(): boolean;
  /** The own interfaces; empty where they may not be seen. */
  interfaces(): readonly InterfaceRow[];
  /** News that concern every stream of this peer. */
  readonly news: Events<{ readonly type: string }>;
  readonly network: NetworkWatch | undefined;
}

// One pass over all candidates; the stream itself comes back, and asks anew.
const PASS_DEADLINE_MS = 6_000;
const ATTEMPT_MS = 3_000;
const STAGGER_MS = 100;
// A known address that is right answers within that; past it the other peer
// may have moved, and is asked while the known ones are still tried.
const ASK_AFTER_MS = 200;
// Carried on by signalling meanwhile, over all brokers.
const ASK_TIMEOUT_MS = 15_000;
// A connection by which the other peer called waits that long to be used.
const OFFER_MS = 5_000;
// The other peer waits a moment before it calls, and then needs a round trip.
const CALL_MS = 4_000;

// After them a packet to the same place may leave by another way.
const OTHER_WAY: ReadonlySet<string> = new Set([
  ...["address-added", "carrier-gained", "default-interface-changed"],
  ...["gateway-changed", "online", "path-changed", "woke"],
]);

/** See the module's comment. */
export class Route {
  /** What the stream is told about the network. */
  readonly news: Emitter<{ readonly type: string }> = new Emitter();
  readonly #context: RouteContext;
  readonly #rules = new AskingRules();
  readonly #ended = new AbortController();
  #known: Whereabouts;
  #asking: AbortController | undefined;
  #path: Disposable | undefined;
  #offered:
    | {
      readonly transport: Transport;
      readonly timer: ReturnType<typeof setTimeout>;
    }
    | undefined;
  #dialling: ((news: RaceNews) => void) | undefined;
  #remote: string | undefined;

  constructor(known: Whereabouts, context: RouteContext) {
    this.#known = known;
    this.#context = context;
    // It has just said where it is.
    this.#rules.ask(performance.now());
    this.#rules.answered(true, performance.now(), Math.random());
    const { signal } = this.#ended;
    context.news.on("*", (event) => {
      // What was asked from the old address may never be answered.
      this.#rules.reset();
      this.#asking?.abort(
        new DOMException("The network changed", "AbortError"),
      );
      // A packet that left from an address that went is answered by nobody.
      if (OTHER_WAY.has(event.type)) this.#dialling?.("changed");
      this.news.emit(event);
    }, { signal });
  }

  /** The places that are known. */
  get known(): Whereabouts {
    return this.#known;
  }

  end(): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort(new DOMException("The stream is over", "AbortError"));
    this.#asking?.abort(this.#ended.signal.reason);
    this.#path?.[Symbol.dispose]();
    const offered = this.#takeOffered();
    if (offered !== undefined) closeQuietly(offered);
    this.news[Symbol.dispose]();
  }

  /** The other peer is elsewhere; older news than what is known say nothing. */
  moved(to: Whereabouts, reason: "moved" | "redial"): boolean {
    if (this.#ended.signal.aborted || to.at <= this.#known.at) return false;
    const before = this.#known;
    this.#known = to;
    this.#asking?.abort(new DOMException("It has said so", "AbortError"));
    this.#asking = undefined;
    this.#rules.reset();
    if (sameCandidates(before.candidates, to.candidates)) return false;
    this.#context.located(to.candidates, reason);
    if (this.#dialling !== undefined) this.#dialling("moved");
    else {
      const type = afterMove(this.#remote, before.candidates, to.candidates);
      if (type !== undefined) this.news.emit({ type });
    }
    return true;
  }

  /** A question that is under way is asked again, at once. */
  hurry(): void {
    if (this.#asking === undefined) return;
    this.#asking.abort(new DOMException("A broker is back", "AbortError"));
    this.#asking = undefined;
    this.#rules.reset();
    this.#ask();
  }

  /** The other peer made a connection to this one: the stream may go over it. */
  offer(transport: Transport): void {
    const old = this.#takeOffered();
    if (old !== undefined) closeQuietly(old);
    if (this.#ended.signal.aborted) return closeQuietly(transport);
    const timer = setTimeout(() => {
      this.#offered = undefined;
      closeQuietly(transport);
    }, OFFER_MS);
    this.#offered = { transport, timer };
    if (this.#dialling !== undefined) this.#dialling("offered");
    else this.news.emit({ type: "path-changed" });
  }

  #takeOffered(): Transport | undefined {
    const offered = this.#offered;
    this.#offered = undefined;
    clearTimeout(offered?.timer);
    return offered?.transport;
  }

  /** A transport to the first candidate that answers, or by which it called. */
  async dial({ attempt, signal }: DialContext): Promise<Transport> {
    const transport = await this.#race(signal, attempt === 0);
    this.#remote = hostnameOf(transport);
    this.#watch(transport);
    return transport;
  }

  #race(signal: AbortSignal, first: boolean): Promise<Transport> {
    const offered = this.#takeOffered();
    if (offered !== undefined) return Promise.resolve(offered);
    return new Race({
      signal: AbortSignal.any([signal, this.#ended.signal]),
      targets: () =>
        inDialOrder(this.#known.candidates, this.#context.interfaces()),
      pass: (targets, ends) => this.#pass(targets, ends),
      taken: () => this.#takeOffered(),
      // A refusal is quicker than the other peer's call. Later ones find the
      // stream waiting for them.
      lateMs: first && this.#context.callable() ? CALL_MS : 0,
      slowMs: ASK_AFTER_MS,
      slow: () => this.#ask(),
    }, (heard) => this.#dialling = heard).won;
  }

  async #pass(
    targets: readonly Candidate[],
    signal: AbortSignal,
  ): Promise<Deno.TcpConn> {
    if (targets.length === 0) {
      // Reached by its own calls only: those come, or the other one moves.
      using limit = new Limit(PASS_DEADLINE_MS, signal);
      await aborted(limit.signal);
    }
    const localAddress = this.#context.localAddress();
    try {
      return await dial(targets, {
        deadlineMs: PASS_DEADLINE_MS,
        attemptMs: ATTEMPT_MS,
        staggerMs: STAGGER_MS,
        retry: () => false,
        signal,
        connect: (candidate: Candidate, context) =>
          connectFrom(candidate, localAddress, context.signal),
      });
    } catch (error) {
      if (!signal.aborted) this.#ask();
      throw error;
    }
  }

  // Beside the dials: its answer starts another pass, or wakes the stream.
  #ask(): void {
    if (!this.#rules.ask(performance.now())) return;
    const asking = new AbortController();
    this.#asking = asking;
    const { signal } = this.#ended;
    const limit = new Limit(ASK_TIMEOUT_MS, asking.signal, signal);
    const answered = this.#context.askWhere(limit.signal);
    answered.catch(() => undefined).then((answer) => {
      limit[Symbol.dispose]();
      const news = answer !== undefined && this.moved(answer, "redial");
      // Taken back: another one is under way, or may be.
      if (this.#asking !== asking) return;
      this.#asking = undefined;
      this.#rules.answered(news, performance.now(), Math.random());
    });
  }

  // A path that is lost is left at once, instead of after silent heartbeats.
  #watch({ localAddr, remoteAddr }: Transport): void {
    this.#path?.[Symbol.dispose]();
    this.#path = undefined;
    if (localAddr === undefined || !("hostname" in localAddr)) return;
    try {
      const path = this.#context.network?.track({ localAddr, remoteAddr });
      if (path === undefined) return;
      relay(path, this.news);
      this.#path = path;
    } catch {
      // The watch is closed: silence tells it then.
    }
  }
}

function hostnameOf({ remoteAddr }: Transport): string | undefined {
  return remoteAddr !== undefined && "hostname" in remoteAddr
    ? remoteAddr.hostname
    : undefined;
}
