/** Answers what other peers ask through signalling. */
import type { Callbacks } from "./_callbacks.ts";
import type { Home } from "./_home.ts";
import {
  type Answer,
  decodeQuestion,
  encodeMeeting,
  type Question,
  type Whereabouts,
} from "./_meeting.ts";
import type { Tickets } from "./_tickets.ts";

/** What a doorman knows of its peer. */
export interface DoormanContext {
  /** Whether others may open streams to it. */
  readonly accepts: boolean;
  readonly allow:
    | ((peer: string) => boolean | Promise<boolean>)
    | undefined;
  readonly home: Home;
  readonly tickets: Tickets;
  readonly callbacks: Callbacks;
  /** A peer says that it is elsewhere. */
  moved(peer: string, place: Whereabouts): void;
}

/** The answer to what a peer asks. */
export async function answer(
  from: string,
  bytes: Uint8Array,
  context: DoormanContext,
): Promise<Uint8Array> {
  const question = decodeQuestion(bytes);
  return encodeMeeting(
    question === undefined
      ? { type: "refused" }
      : await answerTo(from, question, context),
  );
}

async function answerTo(
  from: string,
  question: Question,
  context: DoormanContext,
): Promise<Answer> {
  const { accepts, allow, callbacks, home, tickets } = context;
  if (question.type === "moved") {
    context.moved(from, question);
    return { type: "heard" };
  }
  if (allow !== undefined && !await allow(from)) return { type: "refused" };
  if (!accepts) return { type: "not-listening" };
  const { name, back } = question;
  const here = { type: "here", ...home.now } as const;
  if (here.candidates.length === 0 && question.candidates.length === 0) {
    return { type: "not-listening" };
  }
  if (back !== undefined) {
    callbacks.asked(from, name, back, question, question.type);
  }
  if (question.type === "where") return here;
  const nonce = crypto.getRandomValues(new Uint8Array(12));
  const ticket = await tickets.issue(from, name, nonce, Date.now());
  const { id, key } = ticket;
  return { ...here, ticket: { id: id.toHex(), key: key.toHex() } };
}
