/** One stream to another peer: where it leads, and what makes it move. */
import type { Events } from "@holdfast/events";
import { Emitter, relay } from "@holdfast/events/emitter";
import type { NetworkWatch } from "@holdfast/netwatch";
import { dial } from "@holdfast/recovery";
import {
  connectResumable,
  type DialContext,
  type ResumableConn,
  type Transport,
} from "@holdfast/resume";
import { connectFrom } from "./_connect_from.ts";
import type { Answer, Candidate } from "./_meeting.ts";
import { PeerError } from "./errors.ts";
import type { PeerStreamOptions } from "./peer_options.ts";

/** What an outgoing stream needs of its peer. */
export interface OutgoingContext {
  /** Asks the other peer, through signalling. */
  ask(type: "meet" | "where", signal: AbortSignal): Promise<Answer>;
  /** Tells that it answered. */
  located(candidates: readonly Candidate[], reason: "connect" | "redial"): void;
  /** The local address to connect from. */
  localAddress(): string | undefined;
  /** News that concern every stream of this peer. */
  readonly news: Events<{ readonly type: string }>;
  readonly network: NetworkWatch | undefined;
  readonly stream: PeerStreamOptions | undefined;
  readonly onListenerError: ((error: unknown) => void) | undefined;
}

// One pass over all candidates; the stream itself comes back, and asks anew.
const PASS_DEADLINE_MS = 6_000;
const ATTEMPT_MS = 3_000;
const ASK_TIMEOUT_MS = 5_000;

/** Meets the other peer and opens a stream to it. */
export async function openOutgoing(
  peer: string,
  context: OutgoingContext,
  signal: AbortSignal,
): Promise<ResumableConn> {
  const answer = await context.ask("meet", signal);
  const { candidates, ticket } = requireMeeting(peer, answer);
  context.located(candidates, "connect");
  const route = new Route(candidates, context);
  try {
    const conn = await connectResumable((dialling) => route.dial(dialling), {
      ...context.stream,
      signal,
      presharedKey: {
        id: Uint8Array.fromHex(ticket.id),
        key: Uint8Array.fromHex(ticket.key),
      },
      network: route.news,
      onListenerError: context.onListenerError,
    });
    void conn.closed.then(() => route.end());
    return conn;
  } catch (error) {
    route.end();
    throw error;
  }
}

function requireMeeting(
  peer: string,
  answer: Answer,
): {
  candidates: readonly Candidate[];
  ticket: { readonly id: string; readonly key: string };
} {
  if (answer.type === "refused") {
    throw new PeerError(
      "peer/refused",
      `Cannot connect to ${peer}: it does not let this peer in`,
    );
  }
  if (answer.type === "not-listening" || answer.candidates.length === 0) {
    throw new PeerError(
      "peer/not-listening",
      `Cannot connect to ${peer}: it takes no connections: open it with the option listen`,
    );
  }
  if (answer.ticket === undefined) {
    throw new PeerError(
      "peer/bad-answer",
      `Cannot connect to ${peer}: it answered without a ticket`,
    );
  }
  return { candidates: answer.candidates, ticket: answer.ticket };
}

/** Where the other peer is, as far as is known, and the path that leads there. */
class Route {
  /** What the stream is told about the network. */
  readonly news = new Emitter<{ readonly type: string }>();
  readonly #context: OutgoingContext;
  readonly #ends: Disposable[] = [];
  #candidates: readonly Candidate[];
  #path: Disposable | undefined;

  constructor(candidates: readonly Candidate[], context: OutgoingContext) {
    this.#candidates = candidates;
    this.#context = context;
    this.#ends.push(relay(context.news, this.news));
  }

  end(): void {
    this.#path?.[Symbol.dispose]();
    for (const end of this.#ends) end[Symbol.dispose]();
    this.news[Symbol.dispose]();
  }

  /** A transport to the best candidate that answers. */
  async dial({ attempt, signal }: DialContext): Promise<Transport> {
    // The first redial goes where it went before; only when that fails may the
    // other peer have moved, and is asked where to.
    if (attempt > 1) await this.#askAgain(signal);
    const localAddress = this.#context.localAddress();
    const conn = await dial(this.#candidates, {
      deadlineMs: PASS_DEADLINE_MS,
      attemptMs: ATTEMPT_MS,
      retry: () => false,
      signal,
      connect: (candidate: Candidate, context) =>
        connectFrom(candidate, localAddress, context.signal),
    });
    this.#watch(conn);
    return conn;
  }

  async #askAgain(signal: AbortSignal): Promise<void> {
    const limit = AbortSignal.any([
      signal,
      AbortSignal.timeout(ASK_TIMEOUT_MS),
    ]);
    try {
      const answer = await this.#context.ask("where", limit);
      if (answer.type !== "here" || answer.candidates.length === 0) return;
      this.#candidates = answer.candidates;
      this.#context.located(answer.candidates, "redial");
    } catch {
      // The addresses that are known may still be right.
      signal.throwIfAborted();
    }
  }

  // A path that is lost is left at once, instead of after silent heartbeats.
  #watch(conn: Deno.TcpConn): void {
    this.#path?.[Symbol.dispose]();
    const path = this.#context.network?.track(conn);
    if (path === undefined) return;
    relay(path, this.news);
    this.#path = path;
  }
}
