/** What is known of the two programs: from what they say, and from nothing else. */
import type { Line } from "../main/lines.ts";
import { NOTHING } from "./content.ts";
import type { History } from "./history.ts";
import type { Direction, Origin } from "./view.ts";
import { describeFor, toneOf } from "./wording.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What is known of the client. */
export interface ClientFacts {
  pid: number;
  attached: boolean;
  asleep: boolean;
  address: string | undefined;
  /** Grows with each transport. */
  epoch: number;
  resumed: number;
  longestMs: number;
  /** Why the stream is over, if it is. */
  lost: string | undefined;
}

/** What is known of the server, whichever process it is. */
export interface ServerFacts {
  pid: number;
  port: number;
  up: boolean;
  generation: number;
  origin: Origin;
  /** Whether a server process has had the stream: the store has it since. */
  accepted: boolean;
  /** Where the client comes from, as the server sees it. */
  remote: string | undefined;
  longestMs: number;
}

/** See the module's comment. */
export class Facts {
  readonly up: Mutable<Direction> = { sent: 0, ...NOTHING };
  readonly down: Mutable<Direction> = { sent: 0, ...NOTHING };
  readonly client: ClientFacts = {
    pid: 0,
    attached: false,
    asleep: false,
    address: undefined,
    epoch: 0,
    resumed: 0,
    longestMs: 0,
    lost: undefined,
  };
  readonly server: ServerFacts = {
    pid: 0,
    port: 0,
    up: false,
    generation: 0,
    origin: "first",
    accepted: false,
    remote: undefined,
    longestMs: 0,
  };
  /** The brokers that each program says it is connected to. */
  readonly brokersOf: Record<"client" | "server", readonly string[]> = {
    client: [],
    server: [],
  };
  readonly #history: History;
  // What was told and is still so.
  readonly #told = new Set<string>();

  constructor(history: History) {
    this.#history = history;
  }

  fromClient(line: Line): void {
    switch (line.type) {
      case "progress":
        Object.assign(this.down, line.tally);
        this.up.sent = line.sent;
        this.client.longestMs = Math.max(this.client.longestMs, line.longestMs);
        return;
      case "brokers":
        this.brokersOf.client = line.up;
        return;
      case "connected":
        Object.assign(this.client, { attached: true, epoch: 1 });
        return;
      case "failed":
        return this.#failed("client", line.error);
      case "event":
        return this.#event("client", line.event);
    }
  }

  fromServer(line: Line): void {
    const facts = this.server;
    switch (line.type) {
      case "progress":
        Object.assign(this.up, line.tally);
        this.down.sent = line.sent;
        facts.longestMs = Math.max(facts.longestMs, line.longestMs);
        return;
      case "serving":
        return this.#serving(line);
      case "brokers":
        this.brokersOf.server = line.up;
        return;
      case "accepted":
        facts.accepted = true;
        return;
      case "failed":
        return this.#failed("server", line.error);
      case "event":
        return this.#event("server", line.event);
    }
  }

  #serving({ pid, port }: Line): void {
    const facts = this.server;
    // The one before said so, and has not ended: it handed everything over.
    if (facts.up) facts.origin = "handed over";
    Object.assign(facts, { pid, port, up: true });
    facts.generation++;
    this.#history.note("server", "good", servingText(facts));
  }

  #failed(who: "client" | "server", error: string): void {
    this.#history.note(who, "trouble", `failed: ${error}`);
    if (who === "client") this.client.lost ??= error;
  }

  // deno-lint-ignore no-explicit-any -- said by a program of this demo
  #event(who: "client" | "server", event: any): void {
    const inner = event.event;
    if (event.type === "stream") this.#stream(who, inner);
    if (!this.#isNews(who, inner)) return;
    const text = describeFor(event);
    if (text !== undefined) this.#history.note(who, toneOf(event), text);
  }

  // deno-lint-ignore no-explicit-any -- said by a program of this demo
  #stream(who: "client" | "server", inner: any): void {
    const carries = inner.type === "attached" || inner.type === "resumed";
    if (who === "server") {
      if (carries) this.server.remote = inner.remote;
      return;
    }
    const facts = this.client;
    if (carries) Object.assign(facts, { attached: true, epoch: inner.epoch });
    if (inner.type === "detached") facts.attached = false;
    if (inner.type === "lost") facts.lost = inner.error;
    if (inner.type !== "resumed") return;
    facts.resumed++;
    facts.longestMs = Math.max(facts.longestMs, inner.pauseMs);
    this.#told.delete("redial");
  }

  // Once: that a broker is still dead, or a port still shut, is no news.
  // deno-lint-ignore no-explicit-any -- said by a program of this demo
  #isNews(who: string, inner: any): boolean {
    if (inner?.type === "broker-up") this.#told.delete(who + inner.broker);
    const key = inner?.type === "redial-failed"
      ? "redial"
      : inner?.type === "broker-down"
      ? who + inner.broker
      : undefined;
    if (key === undefined) return true;
    if (this.#told.has(key)) return false;
    this.#told.add(key);
    return true;
  }

  /** The longest time for which nothing arrived at one of the two. */
  get longestPauseMs(): number {
    return Math.max(this.client.longestMs, this.server.longestMs);
  }
}

function servingText({ pid, origin }: ServerFacts): string {
  switch (origin) {
    case "first":
      return `process ${pid} serves`;
    case "handed over":
      return `process ${pid} has the listener and the session, and goes on`;
    case "from the store":
      return `process ${pid} goes on with what the store has`;
  }
}
