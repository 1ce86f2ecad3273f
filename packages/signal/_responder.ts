import type { AnswerStatus, Content } from "./_content.ts";
import { LruMap } from "./_lru.ts";
import { TaskSet } from "./_tasks.ts";
import type { SignallingEvent } from "./events.ts";
import type { RequestHandler } from "./signalling.ts";

/** How many requests run at once; further ones wait at their senders. */
export const RUNNING_MAX = 64;
/** How many answers are remembered for a request that comes again. */
export const ANSWERS_MAX = 256;

type Answer = Content & { readonly type: "answer" };

/** What a responder needs of its owner. */
export interface ResponderOwner {
  readonly emit: (event: SignallingEvent) => void;
  /** Delivers the answer; failures are told by events and by nothing else. */
  readonly answer: (to: string, answer: Answer) => void;
  readonly messageBytesMax: number;
}

/** Answers requests: for each id the handler runs once. */
export class Responder {
  readonly #owner: ResponderOwner;
  readonly #answers: LruMap<string, Answer> = new LruMap(ANSWERS_MAX);
  readonly #running: Set<string> = new Set();
  readonly #tasks: TaskSet = new TaskSet();
  readonly #closing: AbortController = new AbortController();
  #handler: RequestHandler | undefined;

  constructor(owner: ResponderOwner) {
    this.#owner = owner;
  }

  /** See `Signalling.handle`. */
  handle(handler: RequestHandler): Disposable {
    if (this.#handler !== undefined) {
      throw new TypeError(
        "Cannot handle requests: there is a handler already: dispose it first",
      );
    }
    this.#handler = handler;
    return {
      [Symbol.dispose]: () => {
        if (this.#handler === handler) this.#handler = undefined;
      },
    };
  }

  /** Takes a request; `false` when too many are running. */
  take(from: string, requestId: string, bytes: Uint8Array): boolean {
    const name = `${from} ${requestId}`;
    const known = this.#answers.get(name);
    if (known !== undefined) {
      this.#owner.answer(from, known);
      return true;
    }
    // Its answer is on the way already.
    if (this.#running.has(name)) return true;
    const handler = this.#handler;
    if (handler === undefined) {
      // Not remembered: there may be a handler the next time.
      this.#owner.answer(from, answerOf(requestId, "no-handler"));
      return true;
    }
    if (this.#running.size >= RUNNING_MAX) return false;
    this.#running.add(name);
    this.#tasks.run(async () => {
      const answer = await this.#run(handler, from, requestId, bytes);
      this.#running.delete(name);
      this.#answers.set(name, answer);
      if (!this.#closing.signal.aborted) this.#owner.answer(from, answer);
    });
    return true;
  }

  /** Tells the handlers to stop; does not wait for one that does not. */
  close(): void {
    this.#closing.abort(
      new DOMException("Signalling is closed", "AbortError"),
    );
  }

  async #run(
    handler: RequestHandler,
    from: string,
    requestId: string,
    bytes: Uint8Array,
  ): Promise<Answer> {
    try {
      const { signal } = this.#closing;
      const result = await handler({ from, bytes, signal });
      if (!(result instanceof Uint8Array)) {
        throw new TypeError("The answer is no Uint8Array");
      }
      const { messageBytesMax } = this.#owner;
      if (result.length > messageBytesMax) {
        throw new RangeError(
          `The answer has ${result.length} bytes of at most ${messageBytesMax}`,
        );
      }
      // A copy: it is sealed later, and may be sent again.
      return answerOf(requestId, "ok", result.slice());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#owner.emit({ type: "handler-failed", from, reason });
      return answerOf(requestId, "handler-failed");
    }
  }
}

function answerOf(
  requestId: string,
  status: AnswerStatus,
  bytes: Uint8Array = new Uint8Array(0),
): Answer {
  return { type: "answer", requestId, status, bytes };
}
