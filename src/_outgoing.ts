/** Opens one stream to another peer. */
import { connectResumable, type ResumableConn } from "@holdfast/resume";
import type { CallKey } from "./_calling_wire.ts";
import type { CallWaiter } from "./_crossroads.ts";
import { Limit } from "./_limit.ts";
import type { Answer } from "./_meeting.ts";
import { Route, type RouteContext } from "./_route.ts";
import { PeerError } from "./errors.ts";
import type { PeerStreamOptions } from "./peer_options.ts";

/** What an outgoing stream needs of its peer. */
export interface OutgoingContext extends Omit<RouteContext, "askWhere"> {
  /** Asks the other peer, through signalling. */
  ask(
    type: "meet" | "where",
    back: CallKey,
    signal: AbortSignal,
  ): Promise<Answer>;
  /** Lets the other peer call back. */
  expect(id: string, waiter: CallWaiter): Disposable;
  /** The route is there, to be told of moves. */
  opened(route: Route): Disposable;
  readonly stream: PeerStreamOptions | undefined;
  readonly onListenerError: ((error: unknown) => void) | undefined;
}

const MEET_TIMEOUT_MS = 30_000;

/** Meets the other peer and opens a stream to it. */
export async function openOutgoing(
  peer: string,
  context: OutgoingContext,
  signal: AbortSignal,
): Promise<ResumableConn> {
  const random = crypto.getRandomValues(new Uint8Array(48));
  const back: CallKey = {
    id: random.subarray(0, 16).toHex(),
    key: random.subarray(16).toHex(),
  };
  const ends: Disposable[] = [];
  let route: Route | undefined;
  // Before it is asked: its call may come sooner than its answer.
  const early: Parameters<Route["offer"]>[0][] = [];
  const expected = context.expect(back.id, {
    key: back.key,
    offer: (transport) => {
      if (route === undefined) early.push(transport);
      else route.offer(transport);
    },
  });
  const end = (): void => {
    expected[Symbol.dispose]();
    for (const one of ends.splice(0)) one[Symbol.dispose]();
    route?.end();
    for (const transport of early.splice(0)) transport.close();
  };
  try {
    using limit = new Limit(MEET_TIMEOUT_MS, signal);
    const answer = await context.ask("meet", back, limit.signal);
    limit[Symbol.dispose]();
    const { ticket, ...place } = requireMeeting(peer, answer, context);
    context.located(place.candidates, "connect");
    route = new Route(place, {
      ...context,
      askWhere: async (signal) => {
        const answer = await context.ask("where", back, signal);
        return answer.type === "here" ? answer : undefined;
      },
    });
    ends.push(context.opened(route));
    for (const transport of early.splice(0)) route.offer(transport);
    const used = route;
    const conn = await connectResumable((dialling) => used.dial(dialling), {
      ...context.stream,
      signal,
      presharedKey: {
        id: Uint8Array.fromHex(ticket.id),
        key: Uint8Array.fromHex(ticket.key),
      },
      network: used.news,
      onListenerError: context.onListenerError,
    });
    void conn.closed.then(end);
    return conn;
  } catch (error) {
    end();
    throw error;
  }
}

function requireMeeting(
  peer: string,
  answer: Answer,
  context: OutgoingContext,
) {
  if (answer.type === "refused") {
    throw new PeerError(
      "peer/refused",
      `Cannot connect to ${peer}: it does not let this peer in`,
    );
  }
  const here = answer.type === "here" ? answer : undefined;
  if (
    answer.type === "not-listening" ||
    here?.candidates.length === 0 && !context.callable()
  ) {
    throw new PeerError(
      "peer/not-listening",
      `Cannot connect to ${peer}: it takes no connections: open it with the option listen`,
    );
  }
  if (here?.ticket === undefined) {
    throw new PeerError(
      "peer/bad-answer",
      `Cannot connect to ${peer}: it answered without a ticket`,
    );
  }
  return { at: here.at, candidates: here.candidates, ticket: here.ticket };
}
