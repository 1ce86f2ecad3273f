import type { Content } from "./_content.ts";
import type { Postman } from "./_postman.ts";
import type { Patience } from "./_sender.ts";
import { SignalError } from "./errors.ts";

// The peer has the request, and its answer does not come: perhaps it gave up
// on delivering it. To ask again costs little, since it remembers the answer.
const REPEAT_MS = 5000;

type Answer = Content & { readonly type: "answer" };

/** Asks, and matches answers to questions. */
export class Requester {
  readonly #postman: Postman;
  readonly #waiting: Map<string, (answer: Answer) => void> = new Map();
  readonly #closing: AbortController = new AbortController();

  constructor(postman: Postman) {
    this.#postman = postman;
  }

  /** Resolves with the peer's answer. The arguments have been checked. */
  async request(
    peer: string,
    requestId: string,
    bytes: Uint8Array,
    { timeoutMs, signal }: Patience,
  ): Promise<Uint8Array> {
    signal?.throwIfAborted();
    const name = `${peer} ${requestId}`;
    if (this.#waiting.has(name)) {
      throw new TypeError(
        `Cannot request: "${requestId}" is under way already: wait for its answer, or use another requestId`,
      );
    }
    const done = new AbortController();
    const ends = [this.#closing.signal];
    if (signal) ends.push(signal);
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#waiting.set(name, resolve);
    const asking = this.#ask(
      peer,
      { type: "request", requestId, bytes },
      { timeoutMs, signal: AbortSignal.any(ends) },
      done.signal,
    );
    // After an answer its failure no longer matters.
    asking.catch(() => {});
    try {
      return resultOf(peer, await Promise.race([promise, asking]));
    } finally {
      this.#waiting.delete(name);
      done.abort();
    }
  }

  /** The peer answers; what nobody waits for any more is dropped. */
  onAnswer(from: string, answer: Answer): void {
    this.#waiting.get(`${from} ${answer.requestId}`)?.(answer);
  }

  /** Fails what waits. */
  close(): void {
    this.#closing.abort(
      new SignalError(
        "signal/closed",
        "Cannot request: signalling is closed: open it again",
      ),
    );
  }

  /** Asks again and again; never resolves, since only an answer ends it well. */
  async #ask(
    peer: string,
    content: Content,
    { timeoutMs, signal }: Patience & { readonly signal: AbortSignal },
    done: AbortSignal,
  ): Promise<never> {
    const deadline = performance.now() + timeoutMs;
    while (true) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) {
        throw new SignalError(
          "signal/unanswered",
          `Cannot get an answer from "${peer}": it has the request, and gave none within ${timeoutMs} ms: repeat it with the same requestId`,
          { cause: new DOMException("The time is over", "TimeoutError") },
        );
      }
      // An answer does not cancel it: its acknowledgement is on the way too.
      await this.#postman.submit(peer, content, { timeoutMs: leftMs, signal });
      await pause(
        Math.min(REPEAT_MS, Math.max(0, deadline - performance.now())),
        AbortSignal.any([signal, done]),
      );
    }
  }
}

function resultOf(peer: string, { status, bytes }: Answer): Uint8Array {
  if (status === "ok") return bytes;
  throw status === "no-handler"
    ? new SignalError(
      "signal/no-handler",
      `Cannot get an answer from "${peer}": it answers no requests: call handle() there`,
    )
    : new SignalError(
      "signal/handler-failed",
      `Cannot get an answer from "${peer}": its handler failed: see its handler-failed event`,
    );
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
